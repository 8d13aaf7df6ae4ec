"""What a cleanup has to do: what is too old, and what is too much. Making the plan removes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from featurememory.integration.room import let_go_of_optimizations, let_go_of_patterns, pinned_patterns
from featurememory.models import Optimization, Pattern
from featurememory.resource_management.configuration import Limits
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.readings import Reading, readings
from featurememory.resource_management.sizes import MB, Sizes
from featurememory.resource_management.tables import FIRST_TO_GO, TABLES, Remove, Table, sizes_of, table_of

_BELOW = 0.95
"""How far below the low mark a cleanup aims, so that what comes in meanwhile does not lift it above at once."""


_FREE_AGAIN = 1.5
"""How many times what must stay free of the disk a cleanup tries to free."""


class Step(NamedTuple):
    """One thing to do."""

    kind: str
    why: str
    rows: int
    """How many would go now."""
    bytes: int
    """About what they take."""
    remove: Remove
    kept: int = 0
    """Rows that must stay, whatever the plan: pinned ones."""


def passed_thresholds(usage: ResourceUsage, limits: Limits) -> list[Reading]:
    """Those at which cleanup begins: near the limits that it keeps, and at those beyond which operations are
    refused."""
    high = limits.constraints.cleanup_high
    return [
        each for each in readings(usage, limits.constraints) if each.share >= (1 if each.refuses else high)
    ]


def plan(usage: ResourceUsage, limits: Limits, now: datetime, *, eager: bool = False) -> list[Step]:
    """What is to be done. By age always; down to the low mark where the high one is passed, or `eager`, where the low
    one is. The kinds that are worth least come first."""
    sizes = sizes_of(*TABLES)
    steps = [*_by_age(limits, sizes, now), *_by_own_budget(limits, sizes, now)]
    mark = limits.constraints.cleanup_low if eager else limits.constraints.cleanup_high
    for reading in readings(usage, limits.constraints):
        if reading.share > (1 if reading.refuses else mark):
            steps += _by_constraint(reading, limits, sizes, now)
    return [step for step in steps if step.rows]


def _by_age(limits: Limits, sizes: Sizes, now: datetime) -> Iterator[Step]:
    for table in TABLES:
        keep = limits.retention[table.kind]
        bound = table.bound_by_age(now - limits.retention.age(table.kind))
        if bound is not None:
            yield _step(
                table, bound, sizes, f"older than {keep.days:g} {'day' if keep.days == 1 else 'days'}"
            )


def _by_own_budget(limits: Limits, sizes: Sizes, now: datetime) -> Iterator[Step]:
    """A kind that takes more than its own megabytes goes down to the low share of them."""
    for kind, keep in limits.retention:
        if keep.megabytes is None:
            continue
        table = table_of(kind.name)
        size = table.size(sizes)
        if size.bytes <= keep.megabytes * MB:
            continue
        rows = int(size.rows * limits.constraints.cleanup_low * keep.megabytes * MB / size.bytes)
        bound = table.bound_keeping(rows, _protected(limits, now))
        if bound is not None:
            yield _step(
                table,
                bound,
                sizes,
                f"take {size.bytes / MB:,.0f} MB, of {keep.megabytes:,.0f} MB ({kind.name}.megabytes)",
            )


def _by_constraint(reading: Reading, limits: Limits, sizes: Sizes, now: datetime) -> Iterator[Step]:
    target = reading.limit * limits.constraints.cleanup_low * _BELOW
    match reading.constraint:
        case "max_operations":
            table = table_of("operations")
            bound = table.bound_keeping(int(target), _protected(limits, now))
            if bound is not None:
                yield _step(table, bound, sizes, reading.words)
        case "max_database_mb":
            yield from _smaller((reading.used - target) * MB, reading.words, limits, sizes, now)
        case "min_free_disk_mb":
            wanted = reading.limit * _FREE_AGAIN - reading.used
            yield from _smaller(wanted * MB, reading.words, limits, sizes, now)
        case "max_patterns":
            yield _until(Pattern, int(target), reading.words, let_go_of_patterns, now, pinned_patterns())
        case "max_optimizations":
            yield _until(Optimization, int(target), reading.words, let_go_of_optimizations, now)


def _smaller(wanted: float, why: str, limits: Limits, sizes: Sizes, now: datetime) -> Iterator[Step]:
    """Steps that free `wanted` bytes, as far as they can."""
    for kind in FIRST_TO_GO:
        table = table_of(kind)
        size = table.size(sizes)
        if wanted <= 0 or not size.rows:
            continue
        share = min(1.0, wanted / size.bytes) if size.bytes else 1.0
        bound = table.bound_keeping(int(size.rows * (1 - share)), _protected(limits, now))
        if bound is not None:
            step = _step(table, bound, sizes, why)
            wanted -= step.bytes
            yield step


def _step(table: Table[Any], bound: Any, sizes: Sizes, why: str) -> Step:
    rows = table.rows_before(bound)
    return Step(
        table.kind,
        why,
        rows,
        round(table.size(sizes).bytes_a_row * rows) if rows else 0,
        table.remover(bound),
    )


def _until(
    model: Any,
    target: int,
    why: str,
    let_go: Callable[[int, datetime], int],
    now: datetime,
    kept: int = 0,
) -> Step:
    """As long as there are more than `target`."""

    def remove(limit: int) -> int:
        excess = model.objects.count() - target
        return let_go(min(excess, limit), now) if excess > 0 else 0

    kind = f"{model._meta.model_name}s"
    excess = max(0, min(model.objects.count() - target, model.objects.count() - kept))
    return Step(kind, why, excess, 0, remove, kept)


def _protected(limits: Limits, now: datetime) -> datetime:
    return now - timedelta(hours=limits.constraints.protected_hours)
