"""What each transition says: from where to where, why, and what is to be waited for."""

from __future__ import annotations

import pytest

from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


@pytest.mark.parametrize(
    ("command", "state", "message"),
    [
        ("force_open", "forced_open", "forced open: nothing is admitted"),
        ("disable", "disabled", "disabled: everything is admitted, nothing computed"),
        (
            "only_measure",
            "metrics_only",
            "metrics only: everything is admitted, and shown what would have been refused",
        ),
    ],
)
def test_what_an_operator_lays_over_it_is_its_own_cause(command: str, state: str, message: str) -> None:
    machine = opened(at=5)
    (laid,) = getattr(machine, command)(5.5, 9.0)
    assert laid[:8] == ("open", state, "open", state, message, 2, 5.5, None)
    assert laid.overlay_until == 9.0
    (ended,) = machine.settle(9.0)
    assert (ended.cause, ended.message) == (
        "overlay_ended",
        f"the time of {state} is over: open again, as computed",
    )


def test_a_release_says_what_counts_again() -> None:
    machine = opened(at=5)
    machine.force_open(5.25)
    (released,) = machine.release(5.5)
    assert released[:7] == (
        "forced_open",
        "open",
        "open",
        "released",
        "released: open again, as computed",
        3,
        5.5,
    )
    assert released.retry_after_ms == pytest.approx(500)


def test_a_reset_says_so() -> None:
    (reset,) = opened(at=5).reset(5.5)
    assert reset[:8] == (
        "open",
        "closed",
        "closed",
        "reset",
        "reset: closed, with an empty window",
        2,
        5.5,
        None,
    )


def test_a_round_of_probes_says_how_it_begins_and_ends() -> None:
    machine = opened(at=5, half_open_permits=3)
    (probing,) = permit(machine, 6).transitions
    assert (probing.cause, probing.message) == (
        "reset_timeout",
        "the reset time-out is over; probes decide (half_open_permits = 3)",
    )
    calls(machine, "SF", 6)
    (lost,) = machine.settle(36)
    assert (lost.cause, lost.message) == (
        "probe_expired",
        "2 of 3 probes failed, 1 of them not heard of in time",
    )


def test_probes_that_succeeded_are_counted_in_words() -> None:
    (closed,) = calls(opened(half_open_permits=3), "SFS", 1)
    assert (closed.cause, closed.message) == ("probes_succeeded", "2 of 3 probes succeeded")
    assert closed.counts == {"calls": 3, "failures": 1, "slow_calls": 0, "consecutive_failures": 0}


def test_each_probe_that_expired_is_counted() -> None:
    machine = opened(half_open_permits=3)
    for _ in range(3):
        permit(machine, 1)
    (lost,) = machine.settle(31)
    assert lost.message == "3 of 3 probes failed, 3 of them not heard of in time"
    assert lost.counts["slow_calls"] == 0, "nobody knows how long it lasted"


def test_a_trip_tells_a_long_story_in_so_many_letters() -> None:
    (tripped,) = breaker().trip("gpu-1", "x" * 1_000, 0)
    assert len(tripped.message) == 500


# Two at once


def test_an_end_that_has_come_is_told_with_what_the_same_call_causes() -> None:
    machine = opened(at=0)
    machine.force_open(0.1, 5.0)
    assert causes(permit(machine, 5.0).transitions) == ["overlay_ended", "reset_timeout"]


def test_an_end_that_has_come_is_told_to_whoever_is_refused() -> None:
    machine = opened(at=0, reset_timeout_ms=9_000)
    machine.force_open(0.1, 5.0)
    refused = refusal(machine, 5.0)
    assert causes(refused.transitions) == ["overlay_ended"]
    assert refused.retry_after_ms == 4_000


def test_an_end_that_has_come_is_told_to_whoever_is_refused_under_pressure() -> None:
    machine = breaker()
    machine.force_open(0, 5.0)
    machine.feel("memory at 97 %")
    refused = refusal(machine, 5.0)
    assert (refused.state, causes(refused.transitions)) == ("overloaded", ["overlay_ended"])


def test_a_round_lost_while_it_only_measures_is_told_with_the_permit() -> None:
    machine = opened(at=0, half_open_permits=1, half_open_timeout_ms=2_000)
    machine.only_measure(0.0)
    permit(machine, 1)
    admitted = permit(machine, 3)
    assert causes(admitted.transitions) == ["probe_expired"]
    assert admitted.probe == 0


def test_whoever_is_refused_as_a_round_is_lost_knows_how_long_to_wait() -> None:
    machine = opened(at=0, half_open_permits=1, half_open_timeout_ms=2_000)
    permit(machine, 1)
    refused = refusal(machine, 3)
    assert (refused.state, refused.retry_after_ms) == ("open", 2_000)


# The fleet's


def test_it_opens_with_the_fleets_and_waits_as_long() -> None:
    machine = breaker()
    (moved,) = machine.follow_open(5.0, 9.0)
    assert moved[:8] == ("closed", "open", "open", "fleet", "the fleet's breaker opened", 1, 5.0, 4_000)
    assert machine.follow_open(6.0, 99.0) == (), "it is open already"
    assert machine.status(6.0).may_probe_at == 9.0


def test_it_probes_with_the_fleets() -> None:
    machine = opened(at=0)
    (moved,) = machine.follow_half_open(0.5)
    assert moved[:7] == ("open", "half_open", "half_open", "fleet", "the fleet's breaker probes", 2, 0.5)
    assert machine.follow_half_open(0.6) == ()
    assert machine.observe("success", 0.4, 0.7) == (), "begun before it probed"
    assert machine.status(0.7).calls == 0


@pytest.mark.parametrize("anew", [False, True])
def test_it_closes_with_the_fleets(anew: bool) -> None:
    machine = opened(at=0)
    machine.force_open(0.1)
    (moved,) = machine.follow_closed(0.5, anew=anew)
    assert moved[:7] == (
        "forced_open",
        "forced_open",
        "closed",
        "fleet",
        "the fleet's breaker closed",
        3,
        0.5,
    )
    assert machine.state(9) == "forced_open", "what an operator laid over it stays"


def test_one_that_is_closed_begins_anew_only_where_it_is_to() -> None:
    machine = breaker()
    calls(machine, "FF")
    assert machine.follow_closed(1) == ()
    assert machine.status(1).calls == 2
    assert causes(machine.follow_closed(1, anew=True)) == ["fleet"]
    assert machine.status(1).calls == 0


def test_whoever_reads_the_wait_in_a_transition_under_an_operators_hand_finds_none() -> None:
    machine = breaker(max_failures=1)
    machine.only_measure(0)
    opening = call(machine, "failure", 1)
    assert opening is not None
    assert (opening.computed_state, opening.retry_after_ms) == ("open", None)
