"""Resources in words: how near each is to its limit, what each kind of row takes, and what cleanups did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.words import CLEANUP_STATES, Look, count, plural, size, spaced
from featurememory.models import CleanupRun
from featurememory.resource_management.configuration import Limits
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.monitor import Host, TableFigures, current_usage, hosts, table_figures
from featurememory.resource_management.readings import Reading, readings
from featurememory.resource_management.retention import KINDS

RUNS_SHOWN = 10
TABLES_MEASURED_EVERY_S = 30
EXPORTED: Columns[CleanupRun] = {
    "id": lambda run: run.pk,
    "state": lambda run: run.state,
    "cause": lambda run: run.cause,
    "why": lambda run: run.why,
    "actor": lambda run: run.actor,
    "reason": lambda run: run.reason,
    "started_at": lambda run: run.started_at,
    "ended_at": lambda run: run.ended_at,
    "worked_s": lambda run: run.worked_s,
    "removed_rows": lambda run: run.rows,
    "removed": lambda run: run.removed,
    "kept": lambda run: run.kept,
    "freed_bytes": lambda run: run.freed_bytes,
    "error": lambda run: run.error,
}
_TEXTS = {kind.name: kind.text for kind in KINDS}
_NAMES = {
    "max_memory_mb": "Memory of this installation",
    "max_host_memory_percent": "Memory of the host",
    "min_free_disk_mb": "Free room on the disk",
    "max_database_mb": "Database",
    "max_operations": "Operations",
    "max_patterns": "Patterns",
    "max_optimizations": "Optimizations",
}
_UNITS = {"mb": " MB", "percent": " %"}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One resource beside its limit."""

    reading: Reading
    high: float

    @property
    def name(self) -> str:
        return _NAMES[self.reading.constraint]

    @property
    def look(self) -> Look:
        if self.reading.share >= 1:
            word = "Refuses" if self.reading.refuses else "Beyond"
            return Look(word, "stop", "bad")
        if self.reading.share >= self.high:
            return Look("Near", "warning", "warn")
        return Look("Fine", "check", "ok")

    @property
    def used(self) -> str:
        return self._said(self.reading.used)

    @property
    def limit(self) -> str:
        least = "at least " if self.reading.constraint.startswith("min_") else ""
        return least + self._said(self.reading.limit)

    @property
    def full(self) -> float:
        """The share, as far as a meter goes."""
        return min(self.reading.share, 1.0)

    @property
    def beyond(self) -> str:
        if self.reading.refuses:
            return "beyond it new operations are refused"
        return f"from {self.high:.0%} on cleanup makes room"

    def _said(self, value: float) -> str:
        unit = _UNITS.get(self.reading.constraint.rpartition("_")[2], "")
        return f"{round(value, 1):,g}{unit}" if unit and value < 100 else f"{value:,.0f}{unit}"


@dataclass(frozen=True, slots=True)
class TableRow:
    kind: str
    text: str
    rows: int
    size: str
    share: float
    kept: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One cleanup."""

    run: CleanupRun

    @property
    def look(self) -> Look:
        return CLEANUP_STATES[self.run.state]

    @property
    def removed(self) -> str:
        said = [f"{count(rows)} {spaced(kind)}" for kind, rows in self.run.removed.items()]
        return ", ".join(said) or ("nothing yet" if self.run.state == "running" else "nothing")

    @property
    def freed(self) -> str:
        freed = self.run.freed_bytes
        if freed is None:
            return ""
        return f"{size(abs(freed))} {'smaller' if freed >= 0 else 'larger'}"

    @property
    def kept(self) -> str:
        said = [plural(rows, f"pinned {kind.rstrip('s')}") for kind, rows in self.run.kept.items()]
        return ", ".join(said)

    @property
    def worked(self) -> str:
        return f"{self.run.worked_s:,.1f} s"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the page shows of now."""

    usage: ResourceUsage
    limits: tuple[LimitRow, ...]
    hosts: tuple[Host, ...]
    tables: tuple[TableRow, ...]
    runs: tuple[RunRow, ...]

    @property
    def worst(self) -> LimitRow | None:
        return max(self.limits, key=lambda row: row.reading.share, default=None)


@lru_cache(1)
def figures_in(_period: int) -> list[TableFigures]:
    """Measured once in each period, whoever looks: tables grow slowly, and measuring them costs most of the page."""
    return table_figures()


def read_resources(known: Limits, now: datetime) -> Resources:
    """A fixed number of queries, however much there is."""
    usage = current_usage(now)
    high = known.constraints.cleanup_high
    found = figures_in(int(now.timestamp()) // TABLES_MEASURED_EVERY_S)
    whole = sum(each.bytes for each in found) or 1
    return Resources(
        usage,
        tuple(LimitRow(each, high) for each in readings(usage, known.constraints)),
        tuple(hosts(now)),
        tuple(_table(each, whole, known) for each in found if each.rows),
        tuple(RunRow(run) for run in CleanupRun.objects.order_by("-pk")[:RUNS_SHOWN]),
    )


def exported() -> Iterator[CleanupRun]:
    """The newest cleanups; one query."""
    return CleanupRun.objects.order_by("-pk")[:MOST_ROWS].iterator(AT_ONCE)


def _table(figures: TableFigures, whole: int, known: Limits) -> TableRow:
    keep = known.retention.keeps.get(figures.kind)
    kept = ""
    if keep is not None:
        kept = plural(int(keep.days), "day") if keep.days == int(keep.days) else f"{keep.days:g} days"
        kept += f", up to {keep.megabytes:,.0f} MB" if keep.megabytes is not None else ""
    return TableRow(
        spaced(figures.kind),
        _TEXTS.get(figures.kind, ""),
        figures.rows,
        size(figures.bytes),
        figures.bytes / whole,
        kept or "as the constraints say",
    )
