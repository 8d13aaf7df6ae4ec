"""A day of health, drawn: nothing is green that nobody looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.health_timeline import MOST_TRANSITIONS, draw_health
from dashboard.state_timeline import Lane
from featurememory.models import ComponentState, HealthTransition

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def component(status: str = "healthy", since: float = 100, checked: float = 0) -> ComponentState:
    return ComponentState(
        name="jobs", status=status, since=NOW - since * HOUR, checked_at=NOW - checked * HOUR
    )


def moves(*told: tuple[float, str, str]) -> list[HealthTransition]:
    """(hours ago, before, after), given oldest first; newest first as the database has them."""
    return [
        HealthTransition(component="jobs", before=before, after=after, at=NOW - hours * HOUR)
        for hours, before, after in reversed(told)
    ]


def told(lane: Lane) -> list[tuple[str, float]]:
    return [(each.state, (each.end - each.start) / HOUR) for each in lane.stretches]


def test_what_never_moved_was_always_so() -> None:
    assert told(draw_health([component()], [], NOW).lanes[0]) == [("healthy", 24)]


def test_stretches_follow_the_moves() -> None:
    day = draw_health(
        [component(since=2)], moves((6, "healthy", "unhealthy"), (2, "unhealthy", "healthy")), NOW
    )
    assert told(day.lanes[0]) == [("healthy", 18), ("unhealthy", 4), ("healthy", 2)]
    assert day.lanes[0].summary == "Healthy for 20\u00a0h (2 times), unhealthy for 4\u00a0h"


def test_before_the_first_look_nothing_is_drawn() -> None:
    day = draw_health([component(since=3)], moves((3, "unknown", "healthy")), NOW)
    assert told(day.lanes[0]) == [("healthy", 3)]
    assert day.known_from == NOW - 3 * HOUR


def test_where_nobody_looked_it_is_unknown() -> None:
    gap = moves((5, "healthy", "unknown"), (4, "unknown", "healthy"))
    assert told(draw_health([component(since=4)], gap, NOW).lanes[0]) == [
        ("healthy", 19), ("unknown", 1), ("healthy", 4),
    ]  # fmt: skip


def test_since_the_last_look_it_is_unknown() -> None:
    assert told(draw_health([component(checked=1)], [], NOW).lanes[0]) == [("healthy", 23), ("unknown", 1)]


def test_of_too_many_moves_the_newest_are_drawn() -> None:
    many = moves(
        *(((MOST_TRANSITIONS - number) / 1_000, "healthy", "degraded") for number in range(MOST_TRANSITIONS))
    )
    day = draw_health([component("degraded")], many, NOW)
    assert day.is_cut
    assert day.known_from == NOW - 2 * HOUR
