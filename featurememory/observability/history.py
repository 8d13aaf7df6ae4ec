"""What the rollups hold of a span, in pieces; a process remembers the pieces in which nothing has changed.

Late operations may change any rollup. A piece is therefore remembered together with the marks of its time
(RollupMark), and put together anew when they differ: usually that is the piece that is not over yet.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection
from django.db.models import F, Sum

from featurememory.models import RollupMark
from featurememory.observability.figures import Counts, Figures, RunningSum
from featurememory.observability.histogram import HistogramSum
from featurememory.observability.rollups import (
    BLOCK,
    DAY,
    HOUR,
    MINUTE,
    mark_of_day,
    seconds_of,
    stored_moment,
)
from featurememory.observability.span import Span

MOST_REMEMBERED = 10_000
"""Steps and parts, all pieces together; each takes about half a kilobyte."""
_FETCHED_TOGETHER = 2_000


class Scale(NamedTuple):
    """How a span of minutes, of hours or of days is cut; in seconds."""

    resolution: int
    """Of the rollups that are read."""
    whole: int
    """Of a piece."""
    part: int
    """Of the shorter pieces that one is put together from when it has changed."""


MINUTES = Scale(MINUTE, HOUR, BLOCK)
HOURS = Scale(HOUR, DAY, 4 * HOUR)
DAYS = Scale(DAY, 30 * DAY, DAY)


class Place(NamedTuple):
    """Where a piece lies, and how long its steps are, in seconds; and of what."""

    start: int
    end: int
    step: int
    series: tuple[int, ...] | None = None
    """None: of all."""

    @property
    def scale(self) -> Scale:
        if self.step % HOUR:
            return MINUTES
        return HOURS if self.step % DAY or self.start % DAY else DAYS

    @property
    def phase(self) -> int:
        """How far behind a multiple of its length each step begins: that of three days, a week earlier, does."""
        return self.start % self.step

    @property
    def steps(self) -> range:
        """When each begins."""
        return range(self.start, self.end, self.step)


class Part(NamedTuple):
    """What one series did in a piece."""

    series_id: int
    counts: Counts
    longest: float
    histogram: bytes
    """As it is stored."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The figures of each step, and what each series did."""

    steps: tuple[Figures, ...]
    parts: tuple[Part, ...]


Kept = TypeVar("Kept")


class Remembered(Generic[Kept]):
    """What was used last of what places held, up to a weight; threads share it."""

    def __init__(self, most: int, weigh: Callable[[Kept], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._kept: OrderedDict[Place, tuple[int, Kept]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def __contains__(self, place: Place) -> bool:
        """Whether the place is known, be it as it was earlier."""
        return place in self._kept

    def get(self, place: Place, mark: int) -> Kept | None:
        """What was put there under the same mark."""
        with self._lock:
            known, kept = self._kept.get(place, (0, None))
            if kept is None or known != mark:
                return None
            self._kept.move_to_end(place)
            return kept

    def put(self, place: Place, mark: int, kept: Kept) -> None:
        """`mark` was read before the rest: what came in between makes it be read again, never overlooked."""
        with self._lock:
            _, former = self._kept.pop(place, (0, None))
            self._kept[place] = (mark, kept)
            self._weight += self._weigh(kept) - (self._weigh(former) if former is not None else 0)
            while self._weight > self._most and len(self._kept) > 1:
                _, (_, oldest) = self._kept.popitem(last=False)
                self._weight -= self._weigh(oldest)

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()
            self._weight = 0


def weight_of(piece: Piece) -> int:
    return len(piece.steps) + len(piece.parts)


PAST: Remembered[Piece] = Remembered(MOST_REMEMBERED, weight_of)


class Reading:
    """What a span holds, of all series or of some, and the mark under which it does; one query, and one more at most
    for the pieces."""

    def __init__(self, span: Span, series: Sequence[int] | None = None) -> None:
        self.place = _place_of(span, series)
        self._marks = _Marks(self.place)

    @property
    def mark(self) -> int:
        """As long as it is the same, so are the pieces."""
        return self._marks.of(self.place)

    def pieces(self) -> list[Piece]:
        """In order."""
        return _read_whole(self.place, self._marks)

    def of_each(self, series: Iterable[int]) -> dict[int, list[Piece]]:
        """Of each series by itself; one query for each that is not remembered."""
        return {each: _read_whole(self.place._replace(series=(each,)), self._marks) for each in series}


def _place_of(span: Span, series: Sequence[int] | None) -> Place:
    some = None if series is None else tuple(sorted(series))
    return Place(int(span.start.timestamp()), int(span.end.timestamp()), span.step_s, some)


def _read_whole(whole: Place, marks: _Marks) -> list[Piece]:
    places = _cut(whole, whole.scale.whole)
    *before, last = places
    earlier = whole._replace(end=last.start)
    if len(before) > 1 and (known := PAST.get(earlier, marks.of(earlier))):
        return [known, *_pieces([last], marks)]
    pieces = _pieces(places, marks)
    if len(before) > 1:
        PAST.put(earlier, marks.of(earlier), _joined(pieces[:-1]))
    return pieces


def _pieces(places: Sequence[Place], marks: _Marks) -> list[Piece]:
    """Those that changed, or are not over yet, are put together from shorter ones: most of these did not change."""
    found = _remembered(places, marks)
    split: dict[Place, list[Place]] = {}
    for place in places:
        if place not in found:
            is_steady = place.end - place.start == place.scale.whole and place not in PAST
            is_one = is_steady or place.scale.part % place.step
            split[place] = [place] if is_one else _cut(place, place.scale.part)
            found |= _remembered(split[place], marks)
    missing = {part for parts in split.values() for part in parts} - found.keys()
    found |= _read(sorted(missing))
    for place, parts in split.items():
        found[place] = _joined([found[part] for part in parts])
    for place in missing | split.keys():
        PAST.put(place, marks.of(place), found[place])
    return [found[place] for place in places]


def _remembered(places: Iterable[Place], marks: _Marks) -> dict[Place, Piece]:
    """The pieces that need not be read: where there is no mark, nothing was ever counted."""
    found: dict[Place, Piece] = {}
    for place in places:
        mark = marks.of(place)
        piece = PAST.get(place, mark) if mark else Piece((Figures(),) * len(place.steps), ())
        if piece is not None:
            found[place] = piece
    return found


def _cut(place: Place, length: int) -> list[Place]:
    first = ((place.start - place.phase) // length + 1) * length + place.phase
    bounds = [place.start, *range(first, place.end, length), place.end]
    return [place._replace(start=start, end=end) for start, end in pairwise(bounds)]


class _Marks:
    """The marks of a time, summed up as finely as its pieces need it; one query."""

    def __init__(self, whole: Place) -> None:
        self._unit = whole.scale.part
        self._marks = _marks_of_days(whole) if self._unit == DAY else _marks_of_blocks(whole)

    def of(self, place: Place) -> int:
        """0 where there is none."""
        units = range(place.start // self._unit, -(-place.end // self._unit))
        return sum(self._marks.get(unit, 0) for unit in units)


def _marks_of_blocks(whole: Place) -> dict[int, int]:
    blocks = whole.scale.part // BLOCK
    first = whole.start // whole.scale.part * blocks
    within = RollupMark.objects.filter(block__gte=first, block__lt=-(-whole.end // BLOCK))
    units = within.values_list(F("block") / blocks).annotate(Sum("mark")).order_by()
    return {unit: int(mark) for unit, mark in units}


def _marks_of_days(whole: Place) -> dict[int, int]:
    first, last = mark_of_day(whole.start // DAY), mark_of_day((whole.end - 1) // DAY)
    within = RollupMark.objects.filter(block__lte=first, block__gte=last)
    return {-1 - block: mark for block, mark in within.values_list("block", "mark").order_by()}


def sum_parts(pieces: Iterable[Piece]) -> dict[int, RunningSum]:
    """What each series did in all of the pieces."""
    series: dict[int, RunningSum] = {}
    for part in chain.from_iterable(piece.parts for piece in pieces):
        whole = series.setdefault(part.series_id, RunningSum())
        whole.add(part.counts, part.longest, HistogramSum.from_bytes(part.histogram))
    return series


def _joined(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    steps = chain.from_iterable(piece.steps for piece in pieces)
    return Piece(tuple(steps), _parts(sum_parts(pieces)))


def _parts(series: dict[int, RunningSum]) -> tuple[Part, ...]:
    return tuple(
        Part(series_id, each.counts, each.longest, each.histogram.to_bytes())
        for series_id, each in series.items()
    )


def _read(places: Sequence[Place]) -> dict[Place, Piece]:
    """The pieces of the places, which differ in start and end alone, from the rollups; one query."""
    if not places:
        return {}
    step, phase = places[0].step, places[0].phase
    home = {start: place for place in places for start in place.steps}
    steps = {start: RunningSum() for start in home}
    series: dict[Place, dict[int, RunningSum]] = {place: {} for place in places}
    for moment, series_id, counts, longest, data in _rollups(places):
        histogram = HistogramSum.from_bytes(data)
        start = moment - (moment - phase) % step
        steps[start].add(counts, longest, histogram)
        whole = series[home[start]].setdefault(series_id, RunningSum())
        whole.add(counts, longest, histogram)
    return {
        place: Piece(
            tuple(steps[start].figures() for start in place.steps),
            _parts(series[place]),
        )
        for place in places
    }


def _rollups(places: Sequence[Place]) -> Iterator[tuple[int, int, Counts, float, bytes]]:
    """(start in seconds, series, counts, longest, histogram) of the rollups in the places."""
    stretches, series = _stretches(places), places[0].series
    of_series = "" if series is None else f"series_id IN ({', '.join(['%s'] * len(series))}) AND "
    if series == ():
        return
    values: list[Any] = []
    for start, end in stretches:
        values += (*(series or ()), places[0].scale.resolution, stored_moment(start), stored_moment(end))
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SELECT + " OR ".join([f"({of_series}{_STRETCH})"] * len(stretches)), values)
        while rows := cursor.fetchmany(_FETCHED_TOGETHER):
            for start, series_id, success, error, timeout, cancelled, rejected, longest, data in rows:
                counts = (success, error, timeout, cancelled, rejected)
                yield seconds_of(start), series_id, counts, longest, data


def _stretches(places: Sequence[Place]) -> list[tuple[int, int]]:
    """The places' time, neighbours together."""
    found: list[tuple[int, int]] = []
    for place in sorted(places, key=lambda place: place.start):
        if found and found[-1][1] == place.start:
            found[-1] = (found[-1][0], place.end)
        else:
            found.append((place.start, place.end))
    return found


_SELECT = """
    SELECT start, series_id, success, error, timeout, cancelled, rejected, duration_max_ms, histogram
    FROM featurememory_rollup WHERE """
_STRETCH = "resolution = %s AND start >= %s AND start < %s"
