"""Every page of the dashboard at ten million operations, over a quarter of an hour and over a year."""

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

OPERATIONS = int(os.environ.get("PAGES_OPERATIONS", "10000000"))
MOST_MS = 50.0


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows = _measure("SQLite", directory / "sqlite")
        with running_postgresql(directory, durable=False) as url:
            rows += _measure("PostgreSQL", directory / "postgresql-data", DATABASE_URL=url)
    return rows


def _measure(database: str, data_dir: Path, **more: str) -> list[Row]:
    data_dir.mkdir()
    environment = {**os.environ, "FEATUREMEMORY_DATA_DIR": str(data_dir), **more}
    asked = [sys.executable, "-m", "tests.benchmarks.pages_child", str(OPERATIONS)]
    told: list[dict[str, Any]] = json.loads(subprocess.check_output(asked, env=environment).splitlines()[-1])
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
