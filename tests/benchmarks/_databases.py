"""The same benchmark on both databases, and in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import Row
from tests.servers import running_postgresql

Measure = Callable[[str, Path, Mapping[str, str]], Iterable[Row]]
"""By the database's name, a directory that is not there yet, and what the environment must have besides."""


def on_both(measure: Measure, *, durable: bool = True) -> list[Row]:
    """On SQLite, then on a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows = list(measure("SQLite", directory / "sqlite", {}))
        with running_postgresql(directory, durable=durable) as url:
            rows += measure("PostgreSQL", directory / "postgresql-data", {"DATABASE_URL": url})
    return rows


def told_by(module: str, data_dir: Path, environment: Mapping[str, str], *arguments: object) -> Any:
    """What `python -m tests.benchmarks.MODULE` prints as its last line, as JSON."""
    data_dir.mkdir(exist_ok=True)
    asked = [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)]
    given = {**os.environ, "FEATUREMEMORY_DATA_DIR": str(data_dir), **environment}
    return json.loads(subprocess.check_output(asked, env=given).splitlines()[-1])
