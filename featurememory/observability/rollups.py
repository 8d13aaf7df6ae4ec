"""Adding operations to the rollups, inside the transaction that stores them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from django.db import connection

from featurememory.models import Rollup
from featurememory.observability.histogram import Histogram, merged

MINUTE = 60
TOTAL = 0
"""The resolution of a series' one row over all time: its start is the Unix epoch."""


class RollupKey(NamedTuple):
    resolution: int
    """MINUTE or TOTAL."""
    start: int
    """Seconds since the Unix epoch: a whole minute, or 0 for the total."""
    series_id: int


@dataclass(slots=True)
class Tally:
    """What happened in one series, in one minute or at all."""

    success: int = 0
    error: int = 0
    timeout: int = 0
    cancelled: int = 0
    rejected: int = 0
    duration_sum_ms: float = 0.0
    duration_max_ms: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, outcomes: Sequence[str], durations_ms: Sequence[float]) -> None:
        """Counts operations by outcome; `durations_ms` are those of the ones that ran."""
        for outcome, count in Counter(outcomes).items():
            setattr(self, outcome, getattr(self, outcome) + count)
        if durations_ms:
            self.duration_sum_ms += sum(durations_ms)
            self.duration_max_ms = max(self.duration_max_ms, *durations_ms)
            self.histogram.record_all(durations_ms)


class Result(Protocol):
    """What of an operation is counted."""

    @property
    def outcome(self) -> str: ...

    @property
    def duration_ms(self) -> float: ...


def tally(by_series: Mapping[int, Sequence[tuple[float, Result]]]) -> dict[RollupKey, Tally]:
    """Sums each series' results by minute and over all time.

    `by_series` holds, for each series' id, pairs of the start in seconds since the Unix epoch and the result. A
    rejected operation never ran: it is counted, but has no duration.
    """
    tallies: dict[RollupKey, Tally] = {}
    for series_id, timed in by_series.items():
        minutes: dict[int, list[Result]] = {}
        for started_at, result in timed:
            minutes.setdefault(int(started_at // MINUTE) * MINUTE, []).append(result)
        total = tallies[RollupKey(TOTAL, 0, series_id)] = Tally()
        for start, results in minutes.items():
            outcomes = [result.outcome for result in results]
            durations = [result.duration_ms for result in results if result.outcome != "rejected"]
            for each in (total, tallies.setdefault(RollupKey(MINUTE, start, series_id), Tally())):
                each.add(outcomes, durations)
    return tallies


def add_to_rollups(tallies: dict[RollupKey, Tally]) -> None:
    """Merges the tallies into the stored rows.

    Missing rows are made first and all rows are then locked in one order, so that two processes neither lose
    each other's counts nor wait for each other in a circle.
    """
    if not tallies:
        return
    stored = _locked(tallies)
    missing = sorted(tallies.keys() - stored.keys())
    if missing:
        Rollup.objects.bulk_create(
            [
                Rollup(
                    resolution=key.resolution,
                    start=datetime.fromtimestamp(key.start, UTC),
                    series_id=key.series_id,
                )
                for key in missing
            ],
            ignore_conflicts=True,
        )
        stored = _locked(tallies)
    changes = [_change(pk, data, tallies[key]) for key, (pk, data) in stored.items()]
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, changes)


def _locked(keys: Iterable[RollupKey]) -> dict[RollupKey, tuple[int, bytes]]:
    """(primary key, histogram) of the rows that are there, locked in order."""
    wanted = set(keys)
    resolutions = sorted({key.resolution for key in wanted})
    starts = sorted({key.start for key in wanted})
    series = sorted({key.series_id for key in wanted})
    moments = [connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(each, UTC)) for each in starts]
    places = (", ".join(["%s"] * len(each)) for each in (resolutions, starts, series))
    sql = _LOCK.format(*places) + (" FOR UPDATE" if connection.features.has_select_for_update else "")
    with connection.cursor() as cursor:
        cursor.execute(sql, [*resolutions, *moments, *series])
        rows = cursor.fetchall()
    found = {}
    for pk, resolution, start, series_id, histogram in rows:
        key = RollupKey(resolution, _seconds(start), series_id)
        if key in wanted:
            found[key] = (pk, histogram)
    return found


def _seconds(start: datetime | str) -> int:
    """Seconds since the Unix epoch of a stored moment; SQLite gives it as text."""
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC) if isinstance(start, str) else start
    return int(moment.timestamp())


def _change(pk: int, histogram: bytes, added: Tally) -> tuple[int | float | bytes, ...]:
    return (
        added.success,
        added.error,
        added.timeout,
        added.cancelled,
        added.rejected,
        added.duration_sum_ms,
        added.duration_max_ms,
        added.duration_max_ms,
        merged(histogram, added.histogram),
        pk,
    )


_LOCK = """
    SELECT id, resolution, start, series_id, histogram FROM featurememory_rollup
    WHERE resolution IN ({}) AND start IN ({}) AND series_id IN ({})
    ORDER BY resolution, start, series_id"""

_ADD = """
    UPDATE featurememory_rollup SET
        success = success + %s, error = error + %s, timeout = timeout + %s,
        cancelled = cancelled + %s, rejected = rejected + %s,
        duration_sum_ms = duration_sum_ms + %s,
        duration_max_ms = CASE WHEN duration_max_ms < %s THEN %s ELSE duration_max_ms END,
        histogram = %s
    WHERE id = %s
"""
