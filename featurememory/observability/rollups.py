"""Adding operations to the rollups, inside the transaction that stores them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from featurememory.models import Rollup
from featurememory.observability.histogram import Histogram

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

    def merge(self, other: Tally) -> None:
        self.success += other.success
        self.error += other.error
        self.timeout += other.timeout
        self.cancelled += other.cancelled
        self.rejected += other.rejected
        self.duration_sum_ms += other.duration_sum_ms
        self.duration_max_ms = max(self.duration_max_ms, other.duration_max_ms)
        self.histogram.merge(other.histogram)

    def add(self, outcome: str, duration_ms: float) -> None:
        """Counts one operation; a rejected one never ran and has no duration."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != "rejected":
            self.duration_sum_ms += duration_ms
            if duration_ms > self.duration_max_ms:
                self.duration_max_ms = duration_ms
            self.histogram.record(duration_ms)


def tally(results: Iterable[tuple[int, float, str, float]]) -> dict[RollupKey, Tally]:
    """Sums (series_id, started_at in seconds since the Unix epoch, outcome, duration_ms) by minute and series,
    and by series over all time."""
    tallies: dict[RollupKey, Tally] = {}
    minutes: dict[tuple[int, int], Tally] = {}
    for series_id, started_at, outcome, duration_ms in results:
        minute = int(started_at // MINUTE)
        found = minutes.get((series_id, minute))
        if found is None:
            key = RollupKey(MINUTE, minute * MINUTE, series_id)
            found = minutes[series_id, minute] = tallies[key] = Tally()
        found.add(outcome, duration_ms)
    for (series_id, _), found in minutes.items():
        tallies.setdefault(RollupKey(TOTAL, 0, series_id), Tally()).merge(found)
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
    changes = []
    for key, (pk, data) in stored.items():
        histogram = Histogram.from_bytes(data)
        histogram.merge(tallies[key].histogram)
        changes.append(_change(pk, tallies[key], histogram))
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


def _change(pk: int, added: Tally, histogram: Histogram) -> tuple[object, ...]:
    return (
        added.success,
        added.error,
        added.timeout,
        added.cancelled,
        added.rejected,
        added.duration_sum_ms,
        added.duration_max_ms,
        added.duration_max_ms,
        histogram.to_bytes(),
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
