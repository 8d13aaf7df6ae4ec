"""An evaluation of the alert rules over ten thousand label sets: how long it takes, and whether its memory stays
flat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import Row
from tests.benchmarks._databases import on_both, told_by

SERIES, ROUNDS = 10_000, 12


def run() -> list[Row]:
    return on_both(_measure)


def _measure(database: str, data_dir: Path, environment: Mapping[str, str]) -> list[Row]:
    told: dict[str, Any] = told_by("_alerts_child", data_dir, environment, SERIES, ROUNDS)
    first, steady, firing, grown = (told[name] for name in ("first_ms", "steady_ms", "firing_ms", "grown_mb"))
    name = f"alert rules, {SERIES:,} label sets, {database}"
    return [
        Row(f"{name}: first evaluation", "-", "-", f"{first:,.0f}", "ms", None),
        Row(f"{name}: evaluation", "-", "1,000", f"{steady:,.0f}", "ms", steady < 1_000),
        Row(f"{name}: all of them firing", "-", "1,000", f"{firing:,.0f}", "ms", firing < 1_000),
        Row(f"{name}: memory grown in {ROUNDS} rounds", "-", "5", f"{grown:.1f}", "MB", grown < 5),
    ]
