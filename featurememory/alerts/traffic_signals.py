"""Signals from the rollups: failures, refusals, rate and latency of each operation type and model.

They are read in one go and never joined: ten thousand label sets are read each time rules are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection

from featurememory.alerts.labels import Labels
from featurememory.alerts.lines import BoundOf, Line, Read, ReadAbove
from featurememory.models import Series
from featurememory.observability.histogram import HistogramSum
from featurememory.observability.rollups import HOUR, MINUTE, seconds_of, stored_moment
from featurememory.observability.span import Span

_FETCHED_TOGETHER = 2_000
_SERIES_TOGETHER = 1_000


class Calls(NamedTuple):
    """Of one series, step by step."""

    success: list[int]
    failed: list[int]
    rejected: list[int]
    cancelled: list[int]

    def judged(self, step: int) -> int:
        """Calls that ran to an end."""
        return self.success[step] + self.failed[step]

    def all(self, step: int) -> int:
        return self.judged(step) + self.rejected[step] + self.cancelled[step]


def read_calls(span: Span, series: Collection[int] | None = None) -> dict[int, Calls]:
    """By series, of those that had any; of all series, or of some."""
    steps, found = len(span), dict[int, Calls]()
    is_one = steps == 1
    for start, id, success, error, timeout, cancelled, rejected in _rows(
        span, _SUMS if is_one else _COUNTS, series, "GROUP BY series_id" if is_one else ""
    ):
        calls = found.get(id)
        if calls is None:
            calls = found[id] = Calls(*([0] * steps for _ in Calls._fields))
        step = _step(span, start)
        calls.success[step] += int(success)
        calls.failed[step] += int(error + timeout)
        calls.rejected[step] += int(rejected)
        calls.cancelled[step] += int(cancelled)
    return found


def names_of_series() -> dict[int, Labels]:
    """The labels of each."""
    rows = Series.objects.values_list("pk", "operation_type", "model").order_by()
    return {pk: {"operation_type": type, "model": model} for pk, type, model in rows}


def error_rate(span: Span) -> list[Line]:
    """Percent of the calls that ran to an end."""
    return _shares(span, lambda calls, step: (calls.failed[step], calls.judged(step)))


def rejected_rate(span: Span) -> list[Line]:
    """Percent of all calls."""
    return _shares(span, lambda calls, step: (calls.rejected[step], calls.all(step)))


def operations(span: Span) -> list[Line]:
    """Calls in each step; None where there were none."""
    names, steps = names_of_series(), range(len(span))
    return [
        Line(names[id], [calls.all(step) or None for step in steps])
        for id, calls in read_calls(span).items()
        if id in names
    ]


def all_operations(span: Span) -> list[Line]:
    """The same of everything together; no line where there was nothing at all."""
    counts: list[float | None] = [None] * len(span)
    for start, _, *outcomes in _rows(span, _SUMS, None, "GROUP BY start"):
        step = _step(span, start)
        counts[step] = ((counts[step] or 0) + int(sum(outcomes))) or None
    return [] if all(each is None for each in counts) else [Line({}, counts)]


def latency(quantile: float) -> Read:
    """Milliseconds below which that share of the calls lay."""

    def read(span: Span) -> list[Line]:
        names = names_of_series()
        ids = sorted(names)
        chunks = [ids[place : place + _SERIES_TOGETHER] for place in range(0, len(ids), _SERIES_TOGETHER)]
        return [line for chunk in chunks for line in _latencies(span, chunk, names, quantile)]

    return read


def latency_above(quantile: float) -> ReadAbove:
    """Of most, even the longest call lies below the bound: then their histograms need not be read."""

    def read(span: Span, bound_of: BoundOf) -> list[Line]:
        names = names_of_series()
        lines: list[Line] = []
        slow: list[int] = []
        for _, id, longest, ran in _rows(span, _LONGEST, None, "GROUP BY series_id"):
            if id in names and longest >= bound_of(names[id]):
                slow.append(id)
            elif id in names:
                lines.append(Line(names[id], [longest], [int(ran)]))
        slow.sort()
        for place in range(0, len(slow), _SERIES_TOGETHER):
            lines += _latencies(span, slow[place : place + _SERIES_TOGETHER], names, quantile)
        return lines

    return read


def _latencies(
    span: Span, chunk: Sequence[int], names: Mapping[int, Labels], quantile: float
) -> Iterator[Line]:
    """Of some series: their histograms take room."""
    steps = len(span)
    sums: dict[int, list[HistogramSum]] = {}
    ran: dict[int, list[int]] = {}
    for start, id, success, error, timeout, cancelled, data in _rows(span, _HISTOGRAMS, chunk):
        if id not in sums:
            sums[id], ran[id] = [HistogramSum() for _ in range(steps)], [0] * steps
        step = _step(span, start)
        sums[id][step].add(HistogramSum.from_bytes(data))
        ran[id][step] += success + error + timeout + cancelled
    for id, histograms in sums.items():
        yield Line(names[id], [next(iter(each.quantiles(quantile)), None) for each in histograms], ran[id])


def _shares(span: Span, of: Callable[[Calls, int], tuple[int, int]]) -> list[Line]:
    names, steps = names_of_series(), range(len(span))
    lines = []
    for id, calls in read_calls(span).items():
        if id in names:
            pairs = [of(calls, step) for step in steps]
            values = [100 * part / whole if whole else None for part, whole in pairs]
            lines.append(Line(names[id], values, [whole for _, whole in pairs]))
    return lines


def _step(span: Span, start: Any) -> int:
    return (seconds_of(start) - int(span.start.timestamp())) // span.step_s


def _rows(
    span: Span, columns: str, series: Collection[int] | None, grouped: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Start, series, and the columns."""
    wanted = frozenset(series or ())
    resolution = HOUR if span.step_s % HOUR == 0 else MINUTE
    start, end = (stored_moment(int(moment.timestamp())) for moment in (span.start, span.end))
    own = {
        "": "start, series_id",
        "GROUP BY start": "start, 0",
        "GROUP BY series_id": "min(start), series_id",
    }
    sql = f"SELECT {own[grouped]}, {columns} FROM featurememory_rollup WHERE {_PLACE}"  # noqa: S608
    values = [resolution, start, end]
    if series is not None:
        sql += " AND series_id BETWEEN %s AND %s"
        values += [min(series, default=0), max(series, default=0)]
    # PostgreSQL plans a named cursor for its first rows; one step's rows are few enough to take them all at once.
    with connection.cursor() if len(span) == 1 else connection.chunked_cursor() as cursor:
        cursor.execute(f"{sql} {grouped}", values)
        while rows := cursor.fetchmany(_FETCHED_TOGETHER):
            yield from rows if series is None else (row for row in rows if row[1] in wanted)


_PLACE = "resolution = %s AND start >= %s AND start < %s"
_COUNTS = "success, error, timeout, cancelled, rejected"
_SUMS = "sum(success), sum(error), sum(timeout), sum(cancelled), sum(rejected)"
_LONGEST = "max(duration_max_ms), sum(success + error + timeout + cancelled)"
_HISTOGRAMS = "success, error, timeout, cancelled, histogram"
