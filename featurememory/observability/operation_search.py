"""Searching stored operations by anything, at a bounded cost.

What has an index is found through it. What has none (least duration, process, type of error, and most pairs of
conditions) is looked for among the newest operations that the index gives, and no further than `LOOKED_THROUGH` of
them: the answer says from where on nothing was looked at, and the next search may begin there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL

from featurememory.models import Operation
from featurememory.models.rollup import OTHER
from featurememory.observability.operations import (
    FAILED,
    guarded_by,
    newest_numbers,
    newest_of,
    of_breaker,
    of_series,
    series_of,
    traced,
)

LOOKED_THROUGH = 10_000
"""So many keep a page below 50 ms at ten million operations, however scattered they lie."""
FIRST_STRETCH = 1_000
"""Most searches fill a page from these."""
FAILED_OUTCOME = "failed"
"""Any outcome but success."""
EVERYTHING = Q(seq__isnull=False)
Order = Literal["newest", "slowest"]
Place = tuple[datetime, int]
"""(started_at, seq): where an operation stands in the order of time."""


@dataclass(frozen=True, slots=True)
class Search:
    """Everything given must hold. `since` is inclusive, `until` exclusive; `min_ms` is the least duration in
    milliseconds; `before` is the place that they come after."""

    since: datetime | None = None
    until: datetime | None = None
    operation_type: str | None = None
    model: str | None = None
    outcome: str | None = None
    breaker: str | None = None
    trace_id: str | None = None
    pattern: int | None = None
    instance: str | None = None
    error_type: str | None = None
    min_ms: float | None = None
    before: Place | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`rows` are without their features. `next`: the place to go on from; None where nothing is left.
    `looked_back_to`: the same, where that is the last place looked at and not the last operation found."""

    rows: list[Operation]
    next: Place | None
    looked_back_to: Place | None


def search_operations(search: Search, count: int, order: Order = "newest") -> Found:
    """The newest `count`; or the slowest `count` of those that were looked through. Five queries at most."""
    branches, condition = _plan(search)
    if not branches:
        return Found([], None, None)
    if condition is None and order == "newest":
        rows = list(newest_of(branches, count + 1).defer("features"))
        return Found(rows[:count], _place(rows[count - 1]) if len(rows) > count else None, None)
    first = FIRST_STRETCH if order == "newest" else LOOKED_THROUGH
    for stretch in sorted({min(first, LOOKED_THROUGH), LOOKED_THROUGH}):
        share = max(1, stretch // len(branches))
        end = _last_place(branches, share)
        rows = _fitting(branches, condition or EVERYTHING, share, end, count + 1, order)
        if order == "newest" and len(rows) > count:
            return Found(rows[:count], _place(rows[count - 1]), None)
        if end is None:
            break
    return Found(rows[:count], end, end)


def _plan(search: Search) -> tuple[list[QuerySet[Operation]], Q | None]:
    """What an index finds, by branches that are each walked in the order of time; and what must hold besides."""
    found = _in_time(search)
    rest = {"outcome", "breaker", "pattern", "operation_type", "model", "instance", "error_type", "min_ms"}
    if search.outcome == FAILED_OUTCOME and (search.trace_id is None and search.pattern is None):
        return [found.filter(FAILED)], _condition(search, rest - {"outcome"})
    if search.trace_id is not None:
        return [traced(found, search.trace_id)], _condition(search, rest)
    if search.pattern is not None:
        return [found.filter(pattern=search.pattern)], _condition(search, rest - {"pattern"})
    if search.outcome not in (None, Operation.Outcome.SUCCESS):
        return [found.filter(FAILED)], _condition(search, rest)
    if search.breaker is not None:
        return guarded_by(found, search.breaker), _condition(search, rest - {"breaker"})
    if search.operation_type is None and search.model is None:
        return [found], _condition(search, rest)
    series = series_of(search.operation_type, search.model)
    if series is None:
        return [found], _condition(search, rest)
    is_shared = any(OTHER in (each.operation_type, each.model) for each in series)
    named = set() if is_shared else {"operation_type", "model"}
    return of_series(found, series), _condition(search, rest - named)


def _in_time(search: Search) -> QuerySet[Operation]:
    found = Operation.objects.all()
    if search.since is not None:
        found = found.filter(started_at__gte=search.since)
    if search.until is not None:
        found = found.filter(started_at__lt=search.until)
    if search.before is not None:
        started_at, seq = search.before
        found = found.filter(Q(started_at__lt=started_at) | Q(seq__lt=seq), started_at__lte=started_at)
    return found


def _condition(search: Search, names: set[str]) -> Q | None:
    """None where nothing is left to ask."""
    condition = Q()
    for name in sorted(names):
        value = getattr(search, name)
        if value is not None:
            condition &= _one(name, value)
    return condition or None


def _one(name: str, value: Any) -> Q:
    match name:
        case "outcome" if value == FAILED_OUTCOME:
            return FAILED
        case "breaker":
            return of_breaker(value)
        case "min_ms":
            return Q(duration_ms__gte=value)
        case _:
            return Q(**{name: value})


def _last_place(branches: Sequence[QuerySet[Operation]], share: int) -> Place | None:
    """How far back all of the branches are known when `share` of each are looked through; None: to their end."""
    lasts = newest_numbers(branches, 1, after=share - 1)
    places = Operation.objects.filter(seq__in=lasts).order_by("-started_at", "-seq")
    last = places.values_list("started_at", "seq").first()
    if last is None:
        return None
    started_at, seq = last
    return started_at, seq


def _fitting(
    branches: Sequence[QuerySet[Operation]],
    condition: Q,
    share: int,
    end: Place | None,
    count: int,
    order: Order,
) -> list[Operation]:
    """Up to `count` operations among each branch's newest `share`, none from before `end`."""
    fits = Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
    selects: list[str] = []
    values: list[Any] = []
    for number, branch in enumerate(branches):
        newest = branch.annotate(fits=fits).order_by("-started_at", "-seq")[:share]
        sql, parameters = newest.values("seq", "started_at", "duration_ms", "fits").query.sql_with_params()
        selects.append(f"SELECT seq, started_at, duration_ms FROM ({sql}) AS branch_{number} WHERE fits")  # noqa: S608
        values += parameters
    since = ""
    if end is not None:
        since = " WHERE (started_at, seq) >= (%s, %s)"
        values += [connection.ops.adapt_datetimefield_value(end[0]), end[1]]
    by = ("duration_ms", "seq") if order == "slowest" else ("started_at", "seq")
    ordered = f"ORDER BY {by[0]} DESC, {by[1]} DESC LIMIT {count}"
    sql = f"SELECT seq FROM ({' UNION ALL '.join(selects)}) AS candidate{since} {ordered}"  # noqa: S608
    numbers = RawSQL(sql, values)  # noqa: S611
    found = Operation.objects.filter(seq__in=numbers).order_by(*(f"-{each}" for each in by))
    return list(found.defer("features")[:count])


def _place(operation: Operation) -> Place:
    return operation.started_at, operation.seq
