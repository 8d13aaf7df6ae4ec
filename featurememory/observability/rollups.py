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


def tally(results: Iterable[tuple[int, datetime, str, float]]) -> dict[RollupKey, Tally]:
    """Sums (series_id, started_at, outcome, duration_ms) by minute and series, and by series over all time."""
    tallies: dict[RollupKey, Tally] = {}
    for series_id, started_at, outcome, duration_ms in results:
        seconds = int(started_at.timestamp())
        key = RollupKey(MINUTE, seconds - seconds % MINUTE, series_id)
        found = tallies.get(key)
        if found is None:
            found = tallies[key] = Tally()
        found.add(outcome, duration_ms)
    for key, minute in list(tallies.items()):
        tallies.setdefault(RollupKey(TOTAL, 0, key.series_id), Tally()).merge(minute)
    return tallies


def add_to_rollups(tallies: dict[RollupKey, Tally]) -> None:
    """Merges the tallies into the stored rows.

    Missing rows are made first and all rows are then locked in one order, so that two processes neither lose
    each other's counts nor wait for each other in a circle.
    """
    if not tallies:
        return
    starts = {key: datetime.fromtimestamp(key.start, UTC) for key in tallies}
    rows = Rollup.objects.filter(
        resolution__in={key.resolution for key in tallies},
        start__in=set(starts.values()),
        series_id__in={key.series_id for key in tallies},
    )
    missing = sorted(tallies.keys() - {_key(*row) for row in rows.values_list("resolution", "start", "series_id")})
    if missing:
        Rollup.objects.bulk_create(
            [
                Rollup(resolution=key.resolution, start=starts[key], series_id=key.series_id)
                for key in missing
            ],
            ignore_conflicts=True,
        )
    changes = []
    locked = rows.select_for_update().order_by("resolution", "start", "series_id")
    for pk, stored, *row in locked.values_list("pk", "histogram", "resolution", "start", "series_id"):
        added = tallies.get(_key(*row))
        if added is not None:
            histogram = Histogram.from_bytes(stored)
            histogram.merge(added.histogram)
            changes.append(_change(pk, added, histogram))
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, changes)


def _key(resolution: int, start: datetime, series_id: int) -> RollupKey:
    return RollupKey(resolution, int(start.timestamp()), series_id)


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


_ADD = """
    UPDATE featurememory_rollup SET
        success = success + %s, error = error + %s, timeout = timeout + %s,
        cancelled = cancelled + %s, rejected = rejected + %s,
        duration_sum_ms = duration_sum_ms + %s,
        duration_max_ms = CASE WHEN duration_max_ms < %s THEN %s ELSE duration_max_ms END,
        histogram = %s
    WHERE id = %s
"""
