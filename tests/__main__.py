"""The whole suite: all tests on SQLite, then those that touch the database once more on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    statuses = [
        subprocess.call([sys.executable, "-m", "pytest", "--database", database, *sys.argv[1:]])
        for database in ("sqlite", "postgresql")
    ]
    return max(statuses)


if __name__ == "__main__":
    raise SystemExit(main())
