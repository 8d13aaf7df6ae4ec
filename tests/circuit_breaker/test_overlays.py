"""What an operator lays over a breaker may end by itself, and may only measure."""

from __future__ import annotations

import pytest

from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


@pytest.mark.parametrize("command", ["force_open", "disable", "only_measure"])
def test_it_ends_at_its_end_and_is_told_once(command: str) -> None:
    machine = breaker()
    (laid,) = getattr(machine, command)(0.0, 10.0)
    assert laid.overlay_until == 10.0
    assert machine.next_settlement() == 10.0
    assert machine.settle(9.9) == ()
    assert machine.state(9.9) == laid.to_state
    assert machine.state(10.0) == "closed", "reading shows it without changing anything"
    (ended,) = machine.settle(10.0)
    assert (ended.cause, ended.from_state, ended.to_state) == ("overlay_ended", laid.to_state, "closed")
    assert machine.settle(11.0) == ()


def test_the_first_call_after_the_end_goes_through_and_tells_of_it() -> None:
    machine = breaker()
    machine.force_open(0.0, 10.0)
    assert refusal(machine, 9.9).state == "forced_open"
    assert causes(permit(machine, 10.0).transitions) == ["overlay_ended"]


def test_a_result_from_under_the_overlay_counts_no_more() -> None:
    machine = breaker(max_failures=1)
    machine.only_measure(0.0, 10.0)
    running = permit(machine, 9.0)
    assert causes(machine.record(running, "failure", 10.0)) == ["overlay_ended"]
    assert machine.state(10.0) == "closed"


def test_another_end_is_another_command() -> None:
    machine = breaker()
    machine.disable(0.0, 10.0)
    assert machine.disable(1.0, 10.0) == ()
    (longer,) = machine.disable(2.0, 20.0)
    assert longer.overlay_until == 20.0
    assert causes(machine.disable(3.0)) == ["disabled"]
    assert machine.state(1e9) == "disabled"


def test_measuring_admits_everything_and_shows_what_it_would_have_done() -> None:
    machine = breaker(max_failures=3, half_open_permits=1)
    machine.only_measure(0.0)
    (opened_,) = calls(machine, "FFF", 0.0)
    assert (opened_.from_state, opened_.to_state, opened_.computed_state) == (
        "metrics_only",
        "metrics_only",
        "open",
    )
    assert calls(machine, "F" * 50, 0.5) == [], "what would have been refused counts for nothing"
    first, second = permit(machine, 1.0), permit(machine, 1.0)
    assert causes(first.transitions) == ["reset_timeout"]
    assert machine.record(second, "failure", 1.0) == (), (
        "the one that would have been refused decides nothing"
    )
    assert causes(machine.record(first, "success", 1.0)) == ["probes_succeeded"]
    assert (machine.status(1.0).state, machine.status(1.0).computed_state) == ("metrics_only", "closed")


def test_release_from_measuring_leaves_what_was_computed() -> None:
    machine = breaker(max_failures=3)
    machine.only_measure(0.0)
    calls(machine, "FFF", 0.0)
    (released,) = machine.release(0.5)
    assert (released.to_state, released.retry_after_ms) == ("open", pytest.approx(500))


def test_a_round_nobody_decides_is_lost_after_its_time_and_waits_longer() -> None:
    machine = opened(half_open_permits=3, half_open_timeout_ms=2_000, max_half_open_ms=2_000)
    assert call(machine, "success", 1.0) is None
    assert machine.next_settlement() == 3.0
    assert machine.settle(2.9) == ()
    (lost,) = machine.settle(3.0)
    assert (lost.cause, lost.message) == (
        "half_open_expired",
        "1 of 3 probes came back within max_half_open_ms = 2000",
    )
    assert lost.retry_after_ms == pytest.approx(2_000)


@pytest.mark.parametrize("until", [None, 99.0])
def test_disabled_lets_everything_go_and_counts_nothing_whatever_it_computed(until: float | None) -> None:
    for machine in (breaker(max_failures=1), opened()):
        machine.disable(0.0, until)
        before = machine.snapshot()
        assert calls(machine, "F" * 9, 0.5) == []
        machine.feel("cpu at 97 %")
        assert permit(machine, 0.5).probe == 0
        assert machine.snapshot() == before


@pytest.mark.parametrize("command", ["force_open", "disable"])
def test_a_round_of_probes_under_an_operators_hand_is_not_decided(command: str) -> None:
    machine = opened(half_open_permits=1)
    permit(machine, 1)
    getattr(machine, command)(1.0)
    assert machine.settle(1e6) == ()
    assert machine.status(1e6).computed_state == "half_open"


def test_measuring_lets_everything_go_under_pressure_too() -> None:
    machine = opened()
    machine.only_measure(0.0)
    machine.feel("cpu at 97 %")
    assert permit(machine, 5.0).probe == 0
    assert machine.status(5.0).computed_state == "open", "it would have been refused"
