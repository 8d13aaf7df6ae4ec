"""An evaluation of the alert rules over ten thousand label sets: how long it takes, and whether its memory stays
flat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import Row
from tests.servers import running_postgresql

SERIES, ROUNDS = 10_000, 12


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows = _measure("SQLite", directory / "sqlite")
        with running_postgresql(directory, durable=True) as url:
            rows += _measure("PostgreSQL", directory / "postgresql-data", DATABASE_URL=url)
    return rows


def _measure(database: str, data_dir: Path, **more: str) -> list[Row]:
    data_dir.mkdir()
    environment = {**os.environ, "FEATUREMEMORY_DATA_DIR": str(data_dir), **more}
    asked = [sys.executable, "-m", "tests.benchmarks.alerts_child", str(SERIES), str(ROUNDS)]
    told: dict[str, Any] = json.loads(subprocess.check_output(asked, env=environment).splitlines()[-1])
    first, steady, firing, grown = (told[name] for name in ("first_ms", "steady_ms", "firing_ms", "grown_mb"))
    name = f"alert rules, {SERIES:,} label sets, {database}"
    return [
        Row(f"{name}: first evaluation", "-", "-", f"{first:,.0f}", "ms", None),
        Row(f"{name}: evaluation", "-", "1,000", f"{steady:,.0f}", "ms", steady < 1_000),
        Row(f"{name}: all of them firing", "-", "1,000", f"{firing:,.0f}", "ms", firing < 1_000),
        Row(f"{name}: memory grown in {ROUNDS} rounds", "-", "5", f"{grown:.1f}", "MB", grown < 5),
    ]
