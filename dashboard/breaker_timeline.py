"""A breaker's states over the last day, to draw and to read. Plain: it takes events and gives shapes and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from dashboard.words import BREAKER_STATES, Look, duration, plural
from featurememory.models import Breaker, BreakerEvent

SPAN = timedelta(hours=24)
MOST_EVENTS = 300
WIDTH = 1_000
HEIGHTS = {"closed": 6, "disabled": 14, "metrics_only": 14, "half_open": 20, "open": 34, "forced_open": 34}
"""How tall a state is drawn: what refuses calls stands out without its colour too."""
TALLEST = max(HEIGHTS.values())
THINNEST = 3.0
"""Of WIDTH; a day is long, and a breaker that was open for a second shall be seen."""
_HATCHED = ("forced_open", "disabled", "metrics_only")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time spent in one state; `x` and `width` are in parts of WIDTH, as SVG's attributes want them."""

    state: str
    look: Look
    start: datetime
    end: datetime
    x: str
    width: str

    @property
    def y(self) -> int:
        return TALLEST - self.height

    @property
    def height(self) -> int:
        return HEIGHTS[self.state]

    @property
    def is_hatched(self) -> bool:
        """Whether an operator's hand drew it."""
        return self.state in _HATCHED

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
            lasted[each.state] = lasted.get(each.state, timedelta()) + (each.end - each.start)
        times = Counter(each.state for each in self.stretches)
        parts = [
            f"{BREAKER_STATES[state].word.lower()} for {duration(each.total_seconds() * 1_000)}"
            + (f" ({plural(times[state], 'time')})" if times[state] > 1 else "")
            for state, each in sorted(lasted.items(), key=lambda item: -item[1])
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

    @property
    def ticks(self) -> list[datetime]:
        """Moments to write along it."""
        return [self.start + SPAN * quarter / 4 for quarter in range(5)]

    @property
    def looks(self) -> list[Look]:
        """Those that occur, for the legend."""
        states = {each.state for lane in self.lanes for each in lane.stretches}
        return [look for state, look in BREAKER_STATES.items() if state in states]


def draw_timeline(breaker: Breaker, newest: Sequence[BreakerEvent], now: datetime) -> Timeline:
    """`newest` are its events, newest first: MOST_EVENTS of them and one more if there are more."""
    start = now - SPAN
    inside = [event for event in newest if event.at > start]
    known_from, first, is_cut = max(start, breaker.created_at), (breaker.state, breaker.computed_state), False
    if len(newest) > len(inside):
        known_from, first = start, _states_after(newest[len(inside)])
    elif len(newest) > MOST_EVENTS:
        oldest, is_cut = inside.pop(), True
        known_from, first = oldest.at, _states_after(oldest)
    elif inside:
        known_from, first = min(known_from, inside[-1].at), _states_before(inside[-1])
    moves = [(event.at, *_states_after(event)) for event in reversed(inside)]
    lanes = [_lane("effective", "Callers met", first[0], [(at, to) for at, to, _ in moves], known_from, now)]
    if any(effective != computed for effective, computed in (first, *(states for _, *states in moves))):
        computed_moves = [(at, to) for at, _, to in moves]
        lanes.append(_lane("computed", "By itself", first[1], computed_moves, known_from, now))
    return Timeline(start, now, known_from, is_cut, tuple(lanes))


def _states_after(event: BreakerEvent) -> tuple[str, str]:
    """(what callers met, what it computed) from then on."""
    return event.to_state, event.computed_state


def _states_before(first: BreakerEvent) -> tuple[str, str]:
    return first.from_state, "closed" if first.from_state in _HATCHED else first.from_state


def _lane(
    key: str, title: str, state: str, moves: Sequence[tuple[datetime, str]], start: datetime, end: datetime
) -> Lane:
    return Lane(key, title, tuple(_stretches(state, moves, start, end)))


def _stretches(
    state: str, moves: Sequence[tuple[datetime, str]], start: datetime, end: datetime
) -> Iterator[Stretch]:
    """One for each state that lasted; what came and went in the same moment parts nothing."""
    since, before = start, state
    for (at, to), (until, _) in pairwise([(start, state), *moves, (end, "")]):
        if until <= at or to == before:
            continue
        if at > since:
            yield _stretch(before, since, at, end)
        since, before = at, to
    if end > since:
        yield _stretch(before, since, end, end)


def _stretch(state: str, since: datetime, until: datetime, end: datetime) -> Stretch:
    x = WIDTH * (1 - (end - since) / SPAN)
    width = WIDTH * ((until - since) / SPAN)
    if HEIGHTS[state] > HEIGHTS["closed"]:
        width = max(width, THINNEST)
    return Stretch(state, BREAKER_STATES[state], since, until, f"{min(x, WIDTH - width):.1f}", f"{width:.1f}")
