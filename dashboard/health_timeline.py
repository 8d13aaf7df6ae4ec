"""Health over the last day, a lane for the whole and for each component. Plain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dashboard.state_timeline import SPAN, Drawn, Lane, States, Timeline, draw_lane
from dashboard.words import HEALTH
from featurememory.models import ComponentState, HealthTransition
from featurememory.observability.health_snapshot import STALE_AFTER

MOST_TRANSITIONS = 2_000
STATES: States = {
    "healthy": Drawn(HEALTH["healthy"], 6),
    "unknown": Drawn(HEALTH["unknown"], 14, is_hatched=True),
    "degraded": Drawn(HEALTH["degraded"], 20),
    "unhealthy": Drawn(HEALTH["unhealthy"], 34),
}


def draw_health(
    components: Sequence[ComponentState], newest: Sequence[HealthTransition], now: datetime
) -> Timeline:
    """`newest` are the transitions of the last day, newest first, MOST_TRANSITIONS at most."""
    is_cut = len(newest) == MOST_TRANSITIONS
    start = max(now - SPAN, newest[-1].at) if is_cut else now - SPAN
    lanes = [
        _lane(each, [move for move in newest if move.component == each.name], start, now)
        for each in components
    ]
    known = [lane.stretches[0].start for lane in lanes if lane.stretches]
    return Timeline(now - SPAN, now, min(known, default=now), is_cut, tuple(lanes), STATES)


def _lane(
    component: ComponentState, newest: Sequence[HealthTransition], start: datetime, now: datetime
) -> Lane:
    inside = [move for move in reversed(newest) if move.at >= start]
    moves = [(move.at, move.after) for move in inside]
    state = inside[0].before if inside else component.status
    known_from = max(start, component.since) if not inside else start
    if inside and state == HealthTransition.UNKNOWN:  # nothing is drawn of the time before the first look
        known_from, state, moves = inside[0].at, inside[0].after, moves[1:]
    if now - component.checked_at > STALE_AFTER:
        moves.append((component.checked_at, HealthTransition.UNKNOWN))
    title = "All" if component.name == ComponentState.WHOLE else component.name.capitalize()
    return draw_lane(component.name.replace(" ", "-"), title, STATES, state, moves, known_from, now)
