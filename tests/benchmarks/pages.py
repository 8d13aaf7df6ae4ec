"""Every page of the dashboard at ten million operations, over a quarter of an hour and over a year."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import Row
from tests.benchmarks._databases import on_both, told_by

OPERATIONS = int(os.environ.get("PAGES_OPERATIONS", "10000000"))
MOST_MS = 50.0


def run() -> list[Row]:
    return on_both(_measure, durable=False)


def _measure(database: str, data_dir: Path, environment: Mapping[str, str]) -> list[Row]:
    told: list[dict[str, Any]] = told_by("_pages_child", data_dir, environment, OPERATIONS)
    name = f"pages, {OPERATIONS:,} operations, {database}"
    return [
        Row(
            f"{name}: {page['page']}, p95 (first {page['first_ms']:,.0f} ms, {page['range']}, "
            f"{page['queries']} queries)",
            "-",
            f"{MOST_MS:.0f}",
            f"{page['p95_ms']:.1f}",
            "ms",
            page["p95_ms"] < MOST_MS,
        )
        for page in told
    ]
