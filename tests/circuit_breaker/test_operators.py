"""What an operator lays over a breaker, and that it holds."""

from __future__ import annotations

import pytest

from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


def test_forced_open_admits_nothing_however_long_it_lasts() -> None:
    machine = breaker()
    assert causes(machine.force_open(0)) == ["forced_open"]
    assert refusal(machine, 1e9) == ("forced_open", None, (), "")


def test_disabled_admits_everything_and_computes_nothing() -> None:
    machine = opened()
    machine.disable(0)
    before = machine.snapshot()
    assert calls(machine, "F" * 1_000) == []
    assert machine.snapshot() == before


def test_results_admitted_before_the_operator_came_change_nothing() -> None:
    machine = breaker(max_failures=1)
    slow = permit(machine, 0)
    machine.force_open(1)
    assert machine.record(slow, "failure", 2) == ()
    machine.release(3)
    assert machine.record(slow, "failure", 4) == ()
    assert machine.state(99) == "closed"


def test_release_goes_back_to_what_is_computed() -> None:
    machine = opened()
    machine.force_open(0.1)
    assert machine.status(0.1).computed_state == "open"
    (transition,) = machine.release(0.2)
    assert (transition.from_state, transition.to_state) == ("forced_open", "open")
    assert transition.retry_after_ms == pytest.approx(800)
    assert permit(machine, 1)


def test_release_into_half_open_begins_a_new_round() -> None:
    machine = opened(half_open_permits=1)
    old = permit(machine, 1)
    machine.disable(1)
    machine.release(1)
    assert machine.record(old, "success", 1) == ()
    assert machine.state(99) == "half_open"
    assert causes(calls(machine, "S", 1)) == ["probes_succeeded"]


def test_commands_that_change_nothing_are_no_transitions() -> None:
    machine = breaker()
    assert machine.release(0) == ()
    machine.disable(0)
    assert machine.disable(1) == ()
    assert machine.epoch == 1


@pytest.mark.parametrize("command", ["force_open", "disable"])
def test_one_overlay_replaces_the_other(command: str) -> None:
    machine = opened()
    machine.force_open(0) if command == "disable" else machine.disable(0)
    (transition,) = getattr(machine, command)(0)
    assert (transition.to_state, transition.computed_state) == (machine.state(0), "open")


def test_reset_lifts_everything_and_then_nothing_happens_by_itself() -> None:
    machine = opened(half_open_permits=1)
    call(machine, "failure", 1)
    permit(machine, 3)
    machine.force_open(3)
    (transition,) = machine.reset(3)
    assert (transition.from_state, transition.to_state) == ("forced_open", "closed")
    status = machine.status(3)
    assert (status.calls, status.consecutive_failures, status.overlay, status.may_probe_at) == (
        0,
        0,
        None,
        None,
    )
    for later in range(1_000):
        assert machine.status(3.0 + later).state == "closed"
        assert permit(machine, 3.0 + later).transitions == ()
    calls(machine, "FFF", 2_000)
    assert refusal(machine, 2_000).retry_after_ms == pytest.approx(1_000)


def test_reset_of_a_fresh_breaker_is_heard_of_too() -> None:
    machine = breaker()
    (transition,) = machine.reset(0)
    assert (transition.from_state, transition.to_state, transition.epoch) == ("closed", "closed", 1)
