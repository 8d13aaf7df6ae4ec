"""A breaker's states over the last day: what callers met, and what it computed where the two differ. Plain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dashboard.state_timeline import SPAN, Drawn, States, Timeline, draw_lane
from dashboard.words import BREAKER_STATES
from featurememory.models import Breaker, BreakerEvent

MOST_EVENTS = 300
_HEIGHTS = {"closed": 6, "disabled": 14, "metrics_only": 14, "half_open": 20, "open": 34, "forced_open": 34}
_HATCHED = ("forced_open", "disabled", "metrics_only")
"""An operator's hand drew these."""
STATES: States = {
    state: Drawn(look, _HEIGHTS[state], state in _HATCHED) for state, look in BREAKER_STATES.items()
}


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
    met = [(at, to) for at, to, _ in moves]
    lanes = [draw_lane("effective", "Callers met", STATES, first[0], met, known_from, now)]
    if any(effective != computed for effective, computed in (first, *(states for _, *states in moves))):
        computed_moves = [(at, to) for at, _, to in moves]
        lanes.append(draw_lane("computed", "By itself", STATES, first[1], computed_moves, known_from, now))
    return Timeline(start, now, known_from, is_cut, tuple(lanes), STATES)


def _states_after(event: BreakerEvent) -> tuple[str, str]:
    """(what callers met, what it computed) from then on."""
    return event.to_state, event.computed_state


def _states_before(first: BreakerEvent) -> tuple[str, str]:
    return first.from_state, "closed" if first.from_state in _HATCHED else first.from_state
