"""Where stored operations are found, newest first, through an index on both databases (operation_search.py asks).

SQLite uses an index of some rows only where the query repeats the index's condition, with a constant for a constant.
And neither database reads "the newest of any of these" from an index: each of them is asked for its newest.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def traced(operations: QuerySet[Operation], trace_id: str) -> QuerySet[Operation]:
    return operations.filter(TRACED, trace_id=trace_id)


def guarded_by(operations: QuerySet[Operation], breaker: str) -> list[QuerySet[Operation]]:
    """Those whose caller chose the breaker, and those of each series whose own breaker has this name."""
    owned = (operations.filter(condition) for condition in _owned(breaker))
    return [operations.filter(BREAKER_CHOSEN, breaker=breaker), *owned]


def of_breaker(breaker: str) -> Q:
    """The same as a condition, where another one has the index."""
    condition = Q(breaker=breaker)
    for owned in _owned(breaker):
        condition |= owned
    return condition


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


def series_of(operation_type: str | None, model: str | None) -> list[Series] | None:
    """Those that may hold the type and model: those of the name, and those that stand for others. None where they are
    more than are asked one by one."""
    series = Series.objects.all()
    if operation_type is not None:
        series = series.filter(operation_type__in=(operation_type, OTHER))
    if model is not None:
        series = series.filter(model__in=(model, OTHER) if model else ("",))
    found = list(series[: MOST_BRANCHES + 1])
    return None if len(found) > MOST_BRANCHES else found


def of_series(operations: QuerySet[Operation], series: Sequence[Series]) -> list[QuerySet[Operation]]:
    return [operations.filter(series=each.pk) for each in series]


def newest_of(branches: Sequence[QuerySet[Operation]], count: int) -> QuerySet[Operation]:
    """The newest `count` operations that are in any of the branches."""
    if len(branches) == 1:
        return _newest(branches[0], count)
    return _newest(Operation.objects.filter(seq__in=newest_numbers(branches, count)), count)


def newest_numbers(branches: Sequence[QuerySet[Operation]], count: int, after: int = 0) -> RawSQL | tuple[()]:
    """For `seq__in`: the numbers of `count` operations of each branch, those that follow its newest `after`."""
    selects: list[str] = []
    values: list[Any] = []
    for number, branch in enumerate(branches):
        sql, parameters = _newest(branch, count, after).values("seq").query.sql_with_params()
        selects.append(f"SELECT seq FROM ({sql}) AS branch_{number}")  # noqa: S608
        values += parameters
    return RawSQL(" UNION ALL ".join(selects), values) if selects else ()  # noqa: S611


def _newest(operations: QuerySet[Operation], count: int, after: int = 0) -> QuerySet[Operation]:
    return operations.order_by("-started_at", "-seq")[after : after + count]
