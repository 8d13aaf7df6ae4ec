"""What a person waits for in Chromium: the overview on a computer four times slower, lists of a million operations."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import Row
from tests.benchmarks._databases import told_by

OPERATIONS = int(os.environ.get("BROWSING_OPERATIONS", "1000000"))
MOST_MS = {"status": 1_500.0, "charts": 5_000.0, "list": 500.0}


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = told_by("_browsing_child", Path(folder), {}, OPERATIONS)
    return [
        Row(
            f"browsing, {OPERATIONS:,} operations: {name}", "-", f"{most:,.0f}", f"{ms:,.0f}", "ms", ms < most
        )
        for name, ms, most in (
            ("overview's status, 4x slower, p95", told["status"], MOST_MS["status"]),
            ("overview's charts, 4x slower, p95", told["charts"], MOST_MS["charts"]),
            *((f"{path} is there to read, p95", ms, MOST_MS["list"]) for path, ms in told["lists"].items()),
        )
    ]
