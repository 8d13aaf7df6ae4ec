"""Runs the benchmarks named, or all of them, and prints a row for each figure."""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from dataclasses import asdict, fields
from importlib import import_module

import tests.benchmarks
from tests.benchmarks import Row

_VERDICT = {True: "yes", False: "NO", None: "-"}


def names_of_all() -> list[str]:
    """Of the modules with a `run()`; what helps them has a name that begins with an underscore."""
    modules = pkgutil.iter_modules(tests.benchmarks.__path__)
    return sorted(module.name for module in modules if not module.name.startswith("_"))


def main(arguments: list[str]) -> int:
    names = names_of_all()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all when none is given"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    wanted = parser.parse_args(arguments)
    unknown = sorted(set(wanted.names) - set(names))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(names)}")
    rows = [row for name in wanted.names or names for row in _measure(name)]
    print(json.dumps([asdict(row) for row in rows], indent=2) if wanted.json else _table(rows))
    return 0


def _measure(name: str) -> list[Row]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    rows: list[Row] = import_module(f"tests.benchmarks.{name}").run()
    return rows


def _table(rows: list[Row]) -> str:
    heading = tuple(field.name for field in fields(Row))
    cells = [(row.name, row.plan, row.ours, row.measured, row.unit, _VERDICT[row.met]) for row in rows]
    widths = [max(map(len, column)) for column in zip(heading, *cells, strict=True)]
    lines = [heading, tuple("-" * width for width in widths), *cells]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
