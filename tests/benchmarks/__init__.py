"""The budgets, measured. `uv run python -m tests.benchmarks [NAME...] [--json]`; each module's `run()` gives
rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside its targets; `met` is None where there is nothing to meet."""

    name: str
    plan: str
    ours: str
    measured: str
    unit: str
    met: bool | None
