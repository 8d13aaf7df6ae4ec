"""The day of a breaker, drawn: what is tall was bad, and nothing is too short to be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.breaker_timeline import MOST_EVENTS, draw_timeline
from dashboard.state_timeline import SPAN, THINNEST, WIDTH, Lane
from featurememory.models import Breaker, BreakerEvent

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - 100 * HOUR


def breaker(state: str = "closed", created_at: datetime = LONG_AGO) -> Breaker:
    return Breaker(name="b", state=state, computed_state=state, created_at=created_at)


def events(*moves: tuple[float, str, str] | tuple[float, str, str, str]) -> list[BreakerEvent]:
    """(hours ago, from, to, computed), given oldest first; newest first as the database has them."""
    return [
        BreakerEvent(
            sequence=number,
            at=NOW - hours * HOUR,
            from_state=before,
            to_state=after,
            computed_state=computed[0] if computed else after,
        )
        for number, (hours, before, after, *computed) in reversed(list(enumerate(moves, start=1)))
    ]


def told(lane: Lane) -> list[tuple[str, float]]:
    """(state, hours) of each stretch."""
    return [(each.state, (each.end - each.start) / HOUR) for each in lane.stretches]


def test_without_any_event_it_was_always_as_it_is() -> None:
    drawn = draw_timeline(breaker(), [], NOW)

    assert told(drawn.lanes[0]) == [("closed", 24)]
    assert drawn.lanes[0].summary == "Closed for 24\u00a0h"


def test_stretches_follow_each_other_without_gaps() -> None:
    moves = events((6, "closed", "open"), (4, "open", "half_open"), (3, "half_open", "closed"))

    lane = draw_timeline(breaker(), moves, NOW).lanes[0]

    assert told(lane) == [("closed", 18), ("open", 2), ("half_open", 1), ("closed", 3)]
    assert [(each.x, each.width) for each in lane.stretches] == [
        ("0.0", "750.0"),
        ("750.0", "83.3"),
        ("833.3", "41.7"),
        ("875.0", "125.0"),
    ]


def test_what_was_before_the_day_is_known_from_the_event_before() -> None:
    moves = events((30, "closed", "open"), (2, "half_open", "closed"))

    assert told(draw_timeline(breaker(), moves, NOW).lanes[0]) == [("open", 22), ("closed", 2)]


def test_nothing_is_drawn_of_the_time_before_it_came_into_being() -> None:
    drawn = draw_timeline(breaker(created_at=NOW - 3 * HOUR), events((1, "closed", "open")), NOW)

    assert told(drawn.lanes[0]) == [("closed", 2), ("open", 1)]
    assert drawn.known_from == NOW - 3 * HOUR
    assert drawn.lanes[0].stretches[0].x == "875.0"


def test_what_is_short_is_drawn_wide_enough_to_see_and_over_its_neighbours() -> None:
    moves = events((2, "closed", "open"), (2 - 1 / 3600, "half_open", "closed"))

    lane = draw_timeline(breaker(), moves, NOW).lanes[0]

    (blip,) = [each for each in lane.stretches if each.state == "open"]
    assert float(blip.width) == THINNEST
    assert lane.drawn[-1] is blip


def test_what_is_drawn_wider_than_it_was_stays_inside() -> None:
    lane = draw_timeline(breaker(), events((0, "closed", "open")), NOW + timedelta(seconds=1)).lanes[0]

    assert float(lane.stretches[-1].x) + float(lane.stretches[-1].width) <= WIDTH


def test_a_state_that_came_and_went_in_one_moment_parts_nothing() -> None:
    moves = events((5, "closed", "open"), (3, "open", "half_open"), (3, "half_open", "open"))

    assert told(draw_timeline(breaker(), moves, NOW).lanes[0]) == [("closed", 19), ("open", 5)]


def test_what_it_computed_has_a_lane_where_an_operator_held_it() -> None:
    moves = events(
        (6, "closed", "forced_open", "closed"),
        (4, "forced_open", "forced_open", "open"),
        (2, "forced_open", "open", "open"),
    )

    effective, computed = draw_timeline(breaker(), moves, NOW).lanes

    assert told(effective) == [("closed", 18), ("forced_open", 4), ("open", 2)]
    assert told(computed) == [("closed", 20), ("open", 4)]
    assert effective.summary == "Closed for 18\u00a0h, forced open for 4\u00a0h, open for 2\u00a0h"


def test_a_hold_from_before_the_day_has_both_lanes() -> None:
    drawn = draw_timeline(breaker(), events((48, "open", "disabled", "open")), NOW)

    assert [told(lane) for lane in drawn.lanes] == [[("disabled", 24)], [("open", 24)]]


def test_of_too_many_changes_the_newest_are_drawn_and_it_says_so() -> None:
    step = 20 / (MOST_EVENTS + 1)
    moves = events(
        *(
            (20 - step * n, *(("closed", "open") if n % 2 == 0 else ("open", "closed")))
            for n in range(MOST_EVENTS + 1)
        )
    )

    drawn = draw_timeline(breaker(), moves, NOW)

    assert drawn.is_cut
    assert drawn.known_from == moves[-1].at > drawn.start
    assert len(drawn.lanes[0].stretches) == MOST_EVENTS + 1


def test_states_differ_without_their_colours() -> None:
    moves = events((9, "closed", "open"), (8, "open", "half_open"), (7, "half_open", "forced_open", "closed"))

    shapes = {
        each.state: (each.height, each.is_hatched)
        for each in draw_timeline(breaker(), moves, NOW).lanes[0].stretches
    }

    assert len(set(shapes.values())) == len(shapes) == 4


def test_the_axis_spans_a_day() -> None:
    drawn = draw_timeline(breaker(), [], NOW)

    assert drawn.ticks == [NOW - SPAN + 6 * HOUR * quarter for quarter in range(5)]
