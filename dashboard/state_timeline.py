"""States over the last day, to draw and to read. Plain: it takes moves and gives shapes and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from dashboard.file_columns import Columns
from dashboard.words import Look, duration, plural

SPAN = timedelta(hours=24)
WIDTH = 1_000
TALLEST = 34
THINNEST = 3.0
"""Of WIDTH; a day is long, and what was bad for a second shall be seen."""


class Drawn(NamedTuple):
    """How a state is drawn: what is bad stands out by its height, without its colour too."""

    look: Look
    height: int
    is_hatched: bool = False


States = Mapping[str, Drawn]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time spent in one state; `x` and `width` are in parts of WIDTH, as SVG's attributes want them."""

    state: str
    drawn: Drawn
    start: datetime
    end: datetime
    x: str
    width: str

    @property
    def look(self) -> Look:
        return self.drawn.look

    @property
    def height(self) -> int:
        return self.drawn.height

    @property
    def y(self) -> int:
        return TALLEST - self.height

    @property
    def is_hatched(self) -> bool:
        return self.drawn.is_hatched

    @property
    def lasted(self) -> str:
        return duration((self.end - self.start).total_seconds() * 1_000)


@dataclass(frozen=True, slots=True)
class Lane:
    key: str
    title: str
    stretches: tuple[Stretch, ...]
    """Oldest first."""

    @property
    def drawn(self) -> list[Stretch]:
        """What is tall comes last, over its neighbours, so that what is short lived is not hidden."""
        return sorted(self.stretches, key=lambda each: each.height)

    @property
    def summary(self) -> str:
        """ "Closed for 23 h 10 min, open for 50 min (2 times)"."""
        lasted: dict[str, timedelta] = {}
        for each in self.stretches:
            word = each.look.word.lower()
            lasted[word] = lasted.get(word, timedelta()) + (each.end - each.start)
        times = Counter(each.look.word.lower() for each in self.stretches)
        parts = [
            f"{word} for {duration(each.total_seconds() * 1_000)}"
            + (f" ({plural(times[word], 'time')})" if times[word] > 1 else "")
            for word, each in sorted(lasted.items(), key=lambda item: -item[1])
        ]
        text = ", ".join(parts)
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Timeline:
    """From `start` until `end`; `known_from` is later than `start` where nothing is known of what was before."""

    start: datetime
    end: datetime
    known_from: datetime
    is_cut: bool
    """More happened than is drawn."""
    lanes: tuple[Lane, ...]
    states: States

    @property
    def ticks(self) -> list[datetime]:
        """Moments to write along it."""
        return [self.start + SPAN * quarter / 4 for quarter in range(5)]

    @property
    def looks(self) -> list[Look]:
        """Those that occur, for the legend."""
        occur = {each.state for lane in self.lanes for each in lane.stretches}
        return [drawn.look for state, drawn in self.states.items() if state in occur]


EXPORTED: Columns[tuple[Lane, Stretch]] = {
    "of": lambda row: row[0].title,
    "from": lambda row: row[1].start,
    "to": lambda row: row[1].end,
    "lasted_s": lambda row: (row[1].end - row[1].start).total_seconds(),
    "state": lambda row: row[1].state,
}


def stretches_of(timeline: Timeline) -> Iterator[tuple[Lane, Stretch]]:
    """As its data lists them: lane by lane, the newest first."""
    return ((lane, each) for lane in timeline.lanes for each in reversed(lane.stretches))


def draw_lane(
    key: str,
    title: str,
    states: States,
    state: str,
    moves: Sequence[tuple[datetime, str]],
    start: datetime,
    end: datetime,
) -> Lane:
    """From `start`, when it was in `state`, by `moves` (when, to what; oldest first) until `end`."""
    return Lane(key, title, tuple(_stretches(states, state, moves, start, end)))


def _stretches(
    states: States, state: str, moves: Sequence[tuple[datetime, str]], start: datetime, end: datetime
) -> Iterator[Stretch]:
    """One for each state that lasted; what came and went in the same moment parts nothing."""
    since, before = start, state
    for (at, to), (until, _) in pairwise([(start, state), *moves, (end, "")]):
        if until <= at or to == before:
            continue
        if at > since:
            yield _stretch(states, before, since, at, end)
        since, before = at, to
    if end > since:
        yield _stretch(states, before, since, end, end)


def _stretch(states: States, state: str, since: datetime, until: datetime, end: datetime) -> Stretch:
    drawn = states[state]
    x = WIDTH * (1 - (end - since) / SPAN)
    width = WIDTH * ((until - since) / SPAN)
    if drawn.height > min(each.height for each in states.values()):
        width = max(width, THINNEST)
    return Stretch(state, drawn, since, until, f"{min(x, WIDTH - width):.1f}", f"{width:.1f}")
