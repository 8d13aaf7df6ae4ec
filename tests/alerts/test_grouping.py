"""What is told of a group: once, in time, never while it is muted, and its end to whoever heard of its beginning."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from featurememory.alerts.grouping import (
    CALM,
    Memory,
    Route,
    Seen,
    Tell,
    Telling,
    Timing,
    key_of,
    look_at_group,
    routes_of,
)
from featurememory.alerts.labels import matchers_in

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUND = timedelta(seconds=5)
TIMING = Timing(escalate_after=timedelta(minutes=5))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def firing(number: int = 1, **changes: object) -> Seen:
    alert = Seen(number, f"f{number}", "firing", "warning", {}, fired_at=START)
    return replace(alert, **changes)  # type: ignore[arg-type]


class Group:
    """Told of by the round, as the job does."""

    def __init__(self, timing: Timing = TIMING) -> None:
        self.timing, self.memory = timing, Memory()

    def look(self, seconds: float, *alerts: Seen) -> list[Telling]:
        self.memory, tellings = look_at_group(self.memory, alerts, self.timing, at(seconds))
        return list(tellings)


def test_the_first_alerts_wait_for_those_that_come_along() -> None:
    group = Group()

    assert group.look(5, firing()) == []
    (told,) = group.look(10, firing(), firing(2, fired_at=at(9)))

    assert told.kind is Tell.FIRING
    assert told.firing == (1, 2)


def test_what_is_new_waits_for_the_interval_and_comes_with_the_rest() -> None:
    group = Group()
    group.look(10, firing())

    assert group.look(65, firing(), firing(2)) == []
    (told,) = group.look(70, firing(), firing(2))

    assert (told.kind, told.firing) == (Tell.CHANGED, (1, 2))


def test_it_is_repeated_until_somebody_acknowledges() -> None:
    group = Group(Timing(repeat=timedelta(hours=1)))
    group.look(10, firing())

    assert group.look(3_600, firing()) == []
    assert [each.kind for each in group.look(3_610, firing())] == [Tell.REPEAT]
    assert group.look(3_615, firing()) == []
    assert group.look(9_000, firing(state="acknowledged")) == []


def test_its_end_is_told_once_and_the_group_is_over() -> None:
    group = Group()
    group.look(10, firing())
    over = firing(state="resolved", resolved_at=at(100))

    (told,) = group.look(100, over)

    assert (told.kind, told.firing, told.resolved) == (Tell.RESOLVED, (), (1,))
    assert group.look(900, over) == []
    assert group.memory == Memory()


def test_what_ended_before_it_was_told_is_never_told() -> None:
    group = Group()

    assert group.look(5, firing()) == []
    assert group.look(20, firing(state="resolved", resolved_at=at(8))) == []


def test_it_escalates_once_and_who_heard_of_it_hears_of_its_end() -> None:
    group = Group()
    group.look(10, firing())

    assert group.look(305, firing()) == []
    (told,) = group.look(310, firing())
    assert (told.kind, told.to_escalation) == (Tell.ESCALATION, True)
    assert group.look(315, firing()) == []
    ends = group.look(400, firing(state="resolved", resolved_at=at(400)))
    assert [(each.kind, each.to_escalation) for each in ends] == [
        (Tell.RESOLVED, False),
        (Tell.RESOLVED, True),
    ]


def test_who_was_escalated_to_hears_of_the_end_of_what_came_back_at_once() -> None:
    group = Group()
    group.look(10, firing())
    group.look(310, firing())

    main, escalation = group.look(400, firing(7, fingerprint="f1"))

    assert (main.kind, main.firing) == (Tell.CHANGED, (7,))
    assert (escalation.kind, escalation.resolved, escalation.to_escalation) == (Tell.RESOLVED, (1,), True)


def test_neither_information_nor_what_is_acknowledged_escalates() -> None:
    for alert in (firing(severity="info"), firing(state="acknowledged")):
        group = Group()
        group.look(10, replace(alert, state="firing"))
        assert group.look(1_000, alert) == []


def test_a_rise_in_severity_is_told_and_a_fall_is_not() -> None:
    group = Group()
    group.look(10, firing())

    assert [each.kind for each in group.look(70, firing(severity="critical"))] == [Tell.CHANGED]
    assert group.look(200, firing()) == []
    assert group.look(300, firing(severity="critical")) == []


def test_what_is_muted_is_told_once_it_no_longer_is() -> None:
    group = Group()

    assert group.look(100, firing(is_muted=True)) == []
    assert [each.kind for each in group.look(105, firing())] == [Tell.FIRING]


def test_an_end_under_a_silence_is_told_after_it() -> None:
    group = Group()
    group.look(10, firing())
    over = firing(state="resolved", resolved_at=at(80))

    assert group.look(100, replace(over, is_muted=True)) == []
    assert [each.kind for each in group.look(200, over)] == [Tell.RESOLVED]


def test_flapping_is_told_once_and_its_end_once_it_lasts() -> None:
    group = Group()
    group.look(10, firing())
    assert [each.kind for each in group.look(100, firing(is_flapping=True))] == [Tell.CHANGED]
    over = firing(is_flapping=True, state="resolved", resolved_at=at(200))

    assert group.look(210, over) == []
    assert group.look(300, firing(2, fingerprint="f1", is_flapping=True)) == []
    assert group.look(400, over) == []
    assert [each.kind for each in group.look(200 + CALM.total_seconds(), over)] == [Tell.RESOLVED]


def test_without_its_end_wanted_the_group_is_simply_over() -> None:
    group = Group(Timing(send_resolved=False))
    group.look(10, firing())

    assert group.look(100, firing(state="resolved", resolved_at=at(90))) == []
    assert group.memory == Memory()


def test_the_first_route_that_fits_takes_it_unless_it_continues() -> None:
    alert = firing(labels={"model": "whisper", "severity": "warning"})
    routes = [
        Route(1, matchers_in("model=other")),
        Route(2, severities=("warning",), continues=True),
        Route(3, severities=("critical",)),
        Route(4, matchers_in("model=~whis.*"), group_by=("model", "pool")),
        Route(5),
    ]

    assert [each.id for each in routes_of(alert, routes)] == [2, 4]
    assert routes[3].group_of(alert) == {"model": "whisper", "pool": ""}
    assert key_of({"a": "1", "b": "2"}) == key_of({"b": "2", "a": "1"})


CHANGES = st.sampled_from(
    ["fire", "resolve", "acknowledge", "mute", "unmute", "worse", "better", "flap", "steady", "nothing"]
)
STEPS = st.lists(st.tuples(st.integers(0, 2), CHANGES, st.integers(1, 200)), min_size=1, max_size=60)


class World:
    """Three fingerprints whose alerts come and go; one alert of each is open at most."""

    def __init__(self) -> None:
        self.alerts: dict[str, Seen] = {}
        self.all: dict[int, Seen] = {}

    def change(self, place: int, what: str, now: datetime) -> None:
        name = f"f{place}"
        alert = self.alerts.get(name)
        if what == "fire" and (alert is None or not alert.is_open):
            alert = Seen(len(self.all) + 1, name, "firing", "warning", {}, fired_at=now)
        elif alert is None:
            return
        elif what == "resolve" and alert.is_open:
            alert = replace(alert, state="resolved", resolved_at=now)
        elif what == "acknowledge" and alert.state == "firing":
            alert = replace(alert, state="acknowledged")
        elif what in ("mute", "unmute"):
            alert = replace(alert, is_muted=what == "mute")
        elif what in ("worse", "better"):
            alert = replace(alert, severity="critical" if what == "worse" else "warning")
        elif what in ("flap", "steady"):
            alert = replace(alert, is_flapping=what == "flap")
        self.alerts[name] = alert
        self.all[alert.id] = alert


@settings(max_examples=300)
@given(STEPS, st.booleans())
def test_whatever_happens_nothing_is_told_twice_late_or_muted(
    steps: list[tuple[int, str, int]], escalates: bool
) -> None:
    timing = Timing(escalate_after=timedelta(minutes=3) if escalates else None)
    world, memory, now = World(), Memory(), START
    events: Counter[tuple[bool, str]] = Counter()
    heard: set[str] = set()
    untold_since: dict[int, datetime] = {}
    for place, what, rounds in steps:
        world.change(place, what, now)
        for _ in range(rounds):
            now += ROUND
            memory, tellings = look_at_group(memory, list(world.all.values()), timing, now)
            for telling in tellings:
                events.update((telling.to_escalation, each) for each in telling.events)
                assert not any(world.all[each].is_muted for each in telling.firing)
                if telling.to_escalation:
                    continue
                for each in telling.resolved:
                    assert world.all[each].fingerprint in heard, "an end without a beginning"
                    assert not world.all[each].is_muted
                    heard.discard(world.all[each].fingerprint)
                heard |= {world.all[each].fingerprint for each in telling.firing}
            for name, alert in world.alerts.items():
                known = memory.told.get(name)
                is_owed = (
                    alert.wants_somebody and not alert.is_flapping and (known is None or known.id != alert.id)
                )
                if not is_owed:
                    untold_since.pop(alert.id, None)
                elif now - untold_since.setdefault(alert.id, now) > max(timing.wait, timing.interval):
                    raise AssertionError(f"{alert} was not told in time")
    assert max(events.values(), default=0) <= 1, "an event was told twice"
    for name, alert in world.alerts.items():
        world.alerts[name] = replace(alert, state="resolved", resolved_at=now, is_muted=False)
        world.all[alert.id] = world.alerts[name]
    for _ in range(2):
        now += CALM
        memory, tellings = look_at_group(memory, list(world.all.values()), timing, now)
        for telling in tellings:
            if not telling.to_escalation:
                heard -= {world.all[each].fingerprint for each in telling.resolved}
    assert not heard, "who was told that it fires was told that it is over"
    assert memory == Memory()


@given(st.integers(1, 100), st.booleans())
def test_a_new_group_is_told_within_its_wait_and_one_round(offset: int, is_late: bool) -> None:
    group = Group()
    alert = firing(fired_at=at(offset + (3 if is_late else 0)))
    assert alert.fired_at is not None
    now = at(offset)
    while now <= alert.fired_at + TIMING.wait + ROUND:
        now += ROUND
        if now >= alert.fired_at and group.look((now - START).total_seconds(), alert):
            break
    assert now <= alert.fired_at + TIMING.wait + ROUND
