"""The life of an alert beside a slow and obvious model, through random looks, gaps, restarts and clocks set back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.alerts.flapping import LOOKS, change_rate, flaps, remember
from featurememory.alerts.lifecycle import Data, Found, Happened, Life, State, Timing, step

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LOOK = st.tuples(
    st.sampled_from(list(Found)),
    st.sampled_from([0, 1, 15, 15, 15, 60, 600, 86_400, -1, -30, -7_200]),
    st.sampled_from(["warning", "warning", "warning", "critical", "info"]),
    st.sampled_from(["", "", "", "acknowledge", "restart"]),
)
TIMINGS = st.builds(
    Timing,
    st.sampled_from([0.0, 15.0, 60.0]),
    st.sampled_from([0.0, 15.0, 300.0]),
    st.sampled_from(["keep", "resolve", "alert"]),
)


def restarted(life: Life | None) -> Life | None:
    """Through a process's end: what is stored is all that there is."""
    return None if life is None else replace(life)


@given(st.lists(LOOK, max_size=60), TIMINGS)
def test_no_alert_is_opened_twice_lost_or_resolved_by_silence(
    looks: list[tuple[Found, int, str, str]], timing: Timing
) -> None:
    now, life, open_ones, resolved = NOW, None, 0, 0
    for found, seconds, severity, act in looks:
        now += timedelta(seconds=seconds)
        if act == "acknowledge" and life is not None and life.state is State.FIRING:
            life = replace(life, state=State.ACKNOWLEDGED, acknowledged_severity=life.severity)
        if act == "restart":
            life = restarted(life)
        before = life
        life, happened = step(life, found, severity, timing, now)

        means = (
            {"alert": Found.ACTIVE, "resolve": Found.CLEAR}.get(timing.no_data)
            if found is Found.NO_DATA
            else found
        )
        open_ones += happened.count(Happened.FIRING)
        resolved += happened.count(Happened.RESOLVED)
        assert open_ones - resolved in (0, 1), "opened twice"
        is_open = life is not None and life.state in (State.FIRING, State.ACKNOWLEDGED)
        assert is_open == (open_ones - resolved == 1), "lost"
        if Happened.RESOLVED in happened:
            assert means is Found.CLEAR, "resolved by something else than a look that found it over"
            assert life is not None
            assert life.clear_since is not None
            assert now - life.clear_since >= timedelta(seconds=timing.keep_firing_for_s)
            life = None
        elif before is not None and life is None:
            assert before.state is State.PENDING
            assert means is Found.CLEAR
        if Happened.FIRING in happened and before is not None:
            assert now - before.started_at >= timedelta(seconds=timing.for_s) or now < before.seen_at
        if life is not None:
            assert life.started_at <= now
            assert life.clear_since is None or life.clear_since <= now
            if life.state is State.ACKNOWLEDGED and means is Found.ACTIVE and now != before.seen_at:  # type: ignore[union-attr]
                assert life.acknowledged_severity
                assert ["info", "warning", "critical"].index(life.severity) <= [
                    "info",
                    "warning",
                    "critical",
                ].index(life.acknowledged_severity), "an acknowledgement does not outlive a higher severity"


@given(st.lists(LOOK, max_size=40), TIMINGS)
def test_the_same_evaluation_again_changes_nothing(
    looks: list[tuple[Found, int, str, str]], timing: Timing
) -> None:
    now, life = NOW, None
    for found, seconds, severity, _ in looks:
        now += timedelta(seconds=seconds)
        life, _ = step(life, found, severity, timing, now)
        if life is not None and life.state is not State.RESOLVED:
            again, happened = step(life, found, severity, timing, now)
            assert (again, happened) == (life, ())
        else:
            life = None


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_with_a_look_every_minute_it_does_what_a_slow_model_does(
    actives: list[bool], for_min: int, keep_min: int
) -> None:
    """Steady looks, few enough changes not to flap: the model looks back over all of the past each time."""
    actives = [active for active in actives for _ in range(6)]
    timing = Timing(60.0 * for_min, 60.0 * keep_min)
    life: Life | None = None
    fired = False
    for minute, active in enumerate(actives):
        now = NOW + timedelta(minutes=minute)
        life, _ = step(life, Found.ACTIVE if active else Found.CLEAR, "warning", timing, now)
        if life is not None and life.state is State.RESOLVED:
            life = None
        past = actives[: minute + 1]
        if not fired:
            fired = len(past) > for_min and all(past[-for_min - 1 :])
        else:
            fired = not (len(past) > keep_min and not any(past[-keep_min - 1 :]))
        assert (life is not None and life.state is State.FIRING) == fired, minute


class TestFlapping:
    def test_what_changes_at_each_look_flaps_and_what_stays_does_not(self) -> None:
        assert change_rate("01" * 10 + "0") == pytest.approx(1.0)
        assert change_rate("1" * LOOKS) == 0
        assert change_rate("") == change_rate("1") == 0

    def test_recent_changes_count_for_more(self) -> None:
        assert change_rate("0" * 20 + "1") > change_rate("0" + "1" * 20) > 0

    @given(st.text("01", max_size=80))
    def test_it_is_steady_again_once_it_has_stayed(self, looks: str) -> None:
        kept, is_flapping = "", False
        for look in looks + "0" * LOOKS:
            kept = remember(kept, look == "1")
            is_flapping = flaps(kept, is_flapping)
        assert len(kept) == LOOKS
        assert not is_flapping


def test_data_that_comes_back_is_told_of_once() -> None:
    life, _ = step(None, Found.ACTIVE, "warning", Timing(), NOW)
    told = []
    for minute, found in enumerate([Found.ERROR, Found.ERROR, Found.NO_DATA, Found.ACTIVE, Found.ACTIVE]):
        life, happened = step(life, found, "warning", Timing(), NOW + timedelta(minutes=minute + 1))
        told += happened
    assert told == [Happened.ERROR, Happened.NO_DATA, Happened.DATA]
    assert life is not None
    assert life.data is Data.THERE
