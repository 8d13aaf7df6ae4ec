"""Finding stored operations, newest first, through an index on both databases.

SQLite uses an index of some rows only where the query repeats the index's condition, with a constant for a constant.
And neither database reads "the newest of any of these" from an index: each of them is asked for its newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Value
from django.db.models.expressions import RawSQL

from featurememory.models import Operation, Series
from featurememory.models.rollup import OTHER

MOST_BRANCHES = 50
"""Where more series are meant, the newest operations of any of them soon turn up in the order of time."""


class Constant(Value):
    """A text of ours, written into the statement itself."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        return f"'{self.value}'", ()


FAILED = ~Q(outcome=Constant("success"))
TRACED = ~Q(trace_id=Constant(""))
BREAKER_CHOSEN = ~Q(breaker=Constant(""))
"""The conditions of indexes, as models/operation.py has them."""


def find_operations(
    *,
    count: int,
    since: datetime | None = None,
    until: datetime | None = None,
    operation_type: str | None = None,
    model: str | None = None,
    outcome: str | None = None,
    breaker: str | None = None,
    trace_id: str | None = None,
    pattern: int | None = None,
    before: tuple[datetime, int] | None = None,
) -> QuerySet[Operation]:
    """The newest `count` for which all that is given holds; `before` is the (started_at, seq) they come after.

    `since` is inclusive, `until` exclusive.
    """
    wanted = {"started_at__gte": since, "started_at__lt": until, "outcome": outcome}
    found = Operation.objects.filter(**{field: value for field, value in wanted.items() if value is not None})
    if before is not None:
        started_at, seq = before
        found = found.filter(Q(started_at__lt=started_at) | Q(seq__lt=seq), started_at__lte=started_at)
    kind = {"operation_type": operation_type, "model": model}
    of_kind = found.filter(**{field: value for field, value in kind.items() if value is not None})
    if pattern is not None:
        of_kind = of_kind.filter(pattern=pattern)
    if trace_id is not None:
        return newest_of([traced(_of_breaker(of_kind, breaker), trace_id)], count)
    if outcome not in (None, Operation.Outcome.SUCCESS):
        return newest_of([_of_breaker(of_kind, breaker).filter(FAILED)], count)
    if breaker is not None:
        return newest_of(guarded_by(of_kind, breaker), count)
    if pattern is not None:
        return newest_of([of_kind], count)
    if operation_type is None and model is None:
        return newest_of([found], count)
    return newest_of(_by_series(of_kind, operation_type, model), count)


def traced(operations: QuerySet[Operation], trace_id: str) -> QuerySet[Operation]:
    return operations.filter(TRACED, trace_id=trace_id)


def guarded_by(operations: QuerySet[Operation], breaker: str) -> list[QuerySet[Operation]]:
    """Those whose caller chose the breaker, and those of each series whose own breaker has this name."""
    owned = (operations.filter(condition) for condition in _owned(breaker))
    return [operations.filter(BREAKER_CHOSEN, breaker=breaker), *owned]


def _of_breaker(operations: QuerySet[Operation], breaker: str | None) -> QuerySet[Operation]:
    """The same where another condition has the index."""
    if breaker is None:
        return operations
    condition = Q(breaker=breaker)
    for owned in _owned(breaker):
        condition |= owned
    return operations.filter(condition)


def _owned(breaker: str) -> list[Q]:
    """Operations whose caller chose no breaker and whose own has this name (default_breaker_name).

    What is counted in a series of another name has no breaker of its own (ingestion/transaction.py).
    """
    named = Q(operation_type=breaker, model="")
    for place, character in enumerate(breaker[:-1]):
        if character == ":":
            named |= Q(operation_type=breaker[:place], model=breaker[place + 1 :])
    return [
        Q(series=row.pk, operation_type=row.operation_type, model=row.model, breaker="")
        for row in Series.objects.filter(named)
    ]


def _by_series(
    operations: QuerySet[Operation], operation_type: str | None, model: str | None
) -> list[QuerySet[Operation]]:
    """By the series that may hold the type and model: those of the name, and those that stand for others."""
    series = Series.objects.all()
    if operation_type is not None:
        series = series.filter(operation_type__in=(operation_type, OTHER))
    if model is not None:
        series = series.filter(model__in=(model, OTHER) if model else ("",))
    ids = list(series.values_list("pk", flat=True)[: MOST_BRANCHES + 1])
    return [operations] if len(ids) > MOST_BRANCHES else [operations.filter(series=pk) for pk in ids]


def newest_of(branches: Sequence[QuerySet[Operation]], count: int) -> QuerySet[Operation]:
    """The newest `count` operations that are in any of the branches."""
    if len(branches) == 1:
        return _newest(branches[0], count)
    return _newest(Operation.objects.filter(seq__in=newest_numbers(branches, count)), count)


def newest_numbers(branches: Sequence[QuerySet[Operation]], count: int) -> RawSQL | tuple[()]:
    """For `seq__in`: the numbers of each branch's newest `count` operations."""
    selects: list[str] = []
    values: list[Any] = []
    for number, branch in enumerate(branches):
        sql, parameters = _newest(branch, count).values("seq").query.sql_with_params()
        selects.append(f"SELECT seq FROM ({sql}) AS branch_{number}")  # noqa: S608
        values += parameters
    return RawSQL(" UNION ALL ".join(selects), values) if selects else ()  # noqa: S611


def _newest(operations: QuerySet[Operation], count: int) -> QuerySet[Operation]:
    return operations.order_by("-started_at", "-seq")[:count]
