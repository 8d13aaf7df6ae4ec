"""Adding operations to the rollups, inside the transaction that stores them."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

from django.db import connection

from featurememory.models import Rollup
from featurememory.observability.histogram import Histogram, merged

MINUTE = 60
HOUR = 3_600
DAY = 86_400
TOTAL = 0
"""The resolution of a series' one row over all time: its start is the Unix epoch."""
BLOCK = 600
"""Seconds that share a mark (RollupMark)."""
OUTCOMES = ("success", "error", "timeout", "cancelled", "rejected")
_MARK_BITS = 48
"""So many that chance draws no number twice, so few that a month's sum fits into 64 bits."""
_ROWS_A_STATEMENT = 200


class RollupKey(NamedTuple):
    resolution: int
    """MINUTE, HOUR, DAY or TOTAL."""
    start: int
    """Seconds since the Unix epoch: a whole minute, hour or day, or 0 for the total."""
    series_id: int


@dataclass(slots=True)
class Tally:
    """What happened in one series, in one minute, hour or day, or at all."""

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

    def merge(self, other: Tally) -> None:
        for outcome in OUTCOMES:
            setattr(self, outcome, getattr(self, outcome) + getattr(other, outcome))
        self.duration_sum_ms += other.duration_sum_ms
        self.duration_max_ms = max(self.duration_max_ms, other.duration_max_ms)
        self.histogram.merge(other.histogram)


class Result(Protocol):
    """What of an operation is counted."""

    @property
    def outcome(self) -> str: ...

    @property
    def duration_ms(self) -> float: ...


def tally(by_series: Mapping[int, Sequence[tuple[float, Result]]]) -> dict[RollupKey, Tally]:
    """Sums each series' results by minute, hour and day and over all time.

    `by_series` holds, for each series' id, pairs of the start in seconds since the Unix epoch and the result. A
    rejected operation never ran: it is counted, but has no duration. Tallies may be shared between keys.
    """
    tallies: dict[RollupKey, Tally] = {}
    for series_id, timed in by_series.items():
        sums = _by_minute(timed)
        for resolution, coarser in ((MINUTE, HOUR), (HOUR, DAY), (DAY, None)):
            tallies.update((RollupKey(resolution, start, series_id), each) for start, each in sums.items())
            sums = _coarsened(sums, coarser) if coarser else sums
        tallies[RollupKey(TOTAL, 0, series_id)] = _sum(list(sums.values()))
    return tallies


def _coarsened(sums: Mapping[int, Tally], length: int) -> dict[int, Tally]:
    together: dict[int, list[Tally]] = {}
    for start, each in sums.items():
        together.setdefault(start // length * length, []).append(each)
    return {start: _sum(parts) for start, parts in together.items()}


def _by_minute(timed: Sequence[tuple[float, Result]]) -> dict[int, Tally]:
    results: dict[int, list[Result]] = {}
    for started_at, result in timed:
        results.setdefault(int(started_at // MINUTE) * MINUTE, []).append(result)
    minutes = {start: Tally() for start in results}
    for start, minute in minutes.items():
        outcomes = [result.outcome for result in results[start]]
        minute.add(outcomes, [each.duration_ms for each in results[start] if each.outcome != "rejected"])
    return minutes


def _sum(tallies: Sequence[Tally]) -> Tally:
    """Their sum: of a single one, as is usual, it is that one itself."""
    if len(tallies) == 1:
        return tallies[0]
    whole = Tally()
    for each in tallies:
        whole.merge(each)
    return whole


def add_to_rollups(tallies: dict[RollupKey, Tally]) -> None:
    """Merges the tallies into the stored rows.

    Missing rows are made first, before any is locked, and all rows are then locked, both in one order, so that
    two processes neither lose each other's counts nor wait for each other in a circle. A row that a cleanup removed
    in between is made once more.
    """
    if not tallies:
        return
    stored, is_locked = _stored(tallies), not connection.features.has_select_for_update
    while (missing := sorted(tallies.keys() - stored.keys())) or not is_locked:
        _make(missing)
        stored, is_locked = _stored(tallies, lock=True), True
    changes = [_change(pk, data, tallies[key]) for key, (pk, data) in stored.items()]
    for first in range(0, len(changes), _ROWS_A_STATEMENT):
        _write(_ADD, changes[first : first + _ROWS_A_STATEMENT])
    mark_anew({key.start // BLOCK for key in tallies if key.resolution == MINUTE})


def mark_anew(blocks: Collection[int]) -> None:
    """What processes remember of these blocks holds no longer."""
    if blocks:
        mark = secrets.randbits(_MARK_BITS)
        days = {mark_of_day(block * BLOCK // DAY) for block in blocks}
        _write(_MARK, [(block, mark) for block in sorted({*blocks, *days})])


def mark_of_day(day: int) -> int:
    """The number that a day's own mark stands under, counted from the Unix epoch: below all blocks."""
    return -1 - day


def _make(missing: Iterable[RollupKey]) -> None:
    rows = [
        Rollup(
            resolution=key.resolution,
            start=datetime.fromtimestamp(key.start, UTC),
            series_id=key.series_id,
        )
        for key in missing
    ]
    Rollup.objects.bulk_create(rows, ignore_conflicts=True)


def _stored(keys: Iterable[RollupKey], *, lock: bool = False) -> dict[RollupKey, tuple[int, bytes]]:
    """(primary key, histogram) of the rows that are there; with `lock` they are locked in order."""
    wanted = set(keys)
    places: list[str] = []
    values: list[Any] = []
    for resolution in sorted({key.resolution for key in wanted}):
        starts = {key.start for key in wanted if key.resolution == resolution}
        series = {key.series_id for key in wanted if key.resolution == resolution}
        places.append(_PLACE.format(*(", ".join(["%s"] * len(each)) for each in (starts, series))))
        values += [resolution, *map(stored_moment, starts), *series]
    sql = _SELECT + " OR ".join(places)
    if lock and connection.features.has_select_for_update:
        sql += " ORDER BY resolution, start, series_id FOR UPDATE"
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
    found = {}
    for pk, resolution, start, series_id, histogram in rows:
        key = RollupKey(resolution, seconds_of(start), series_id)
        if key in wanted:
            found[key] = (pk, histogram)
    return found


def stored_moment(seconds: int) -> Any:
    """A moment in seconds since the Unix epoch, as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(seconds, UTC))


@lru_cache(10_000)
def seconds_of(start: datetime | str) -> int:
    """Seconds since the Unix epoch of a stored moment; SQLite gives it as text."""
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC) if isinstance(start, str) else start
    return int(moment.timestamp())


def _change(pk: int, histogram: bytes, added: Tally) -> tuple[int | float | bytes, ...]:
    return (
        pk,
        added.success,
        added.error,
        added.timeout,
        added.cancelled,
        added.rejected,
        added.duration_sum_ms,
        added.duration_max_ms,
        merged(histogram, added.histogram),
    )


def _write(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Executes `sql` with the rows in its braces: all in one statement, because Python's sqlite3 waits for the
    interpreter lock after each, and without Django's cursor, which would rewrite hundreds of placeholders."""
    place = "?" if connection.vendor == "sqlite" else "%s"
    row = f"({', '.join([place] * len(rows[0]))})"
    statement, values = sql.format(", ".join([row] * len(rows))), [*chain.from_iterable(rows)]
    if connection.vendor == "sqlite":
        with connection.wrap_database_errors:
            connection.connection.execute(statement, values)
    else:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


_SELECT = "SELECT id, resolution, start, series_id, histogram FROM featurememory_rollup WHERE "
_PLACE = "(resolution = %s AND start IN ({}) AND series_id IN ({}))"
_ADD = """
    UPDATE featurememory_rollup SET
        success = success + column2, error = error + column3, timeout = timeout + column4,
        cancelled = cancelled + column5, rejected = rejected + column6,
        duration_sum_ms = duration_sum_ms + column7,
        duration_max_ms = CASE WHEN duration_max_ms < column8 THEN column8 ELSE duration_max_ms END,
        histogram = column9
    FROM (VALUES {}) AS added
    WHERE id = column1"""
_MARK = """
    INSERT INTO featurememory_rollupmark (block, mark) VALUES {}
    ON CONFLICT (block) DO UPDATE SET mark = excluded.mark"""
