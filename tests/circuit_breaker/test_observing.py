"""The fleet's view: results of calls that other processes admitted."""

from __future__ import annotations

from tests.circuit_breaker.histories import breaker, causes, opened, permit


def test_results_seen_from_outside_open_it() -> None:
    machine = breaker(max_failures=2)
    assert machine.observe("failure", 1, 5) == ()
    (transition,) = machine.observe("failure", 2, 5)
    assert (transition.cause, transition.at) == ("max_failures", 5)


def test_calls_that_began_before_the_epoch_are_late() -> None:
    machine = breaker(max_failures=1)
    machine.reset(10)
    assert machine.observe("failure", 9.9, 11) == ()
    assert causes(machine.observe("failure", 10, 11)) == ["max_failures"]


def test_a_call_from_before_probes_were_possible_leaves_it_open() -> None:
    machine = opened(at=10)
    assert machine.observe("success", 10.9, 12) == ()
    assert machine.state(99) == "open"


def test_a_call_begun_since_is_a_probe_and_may_close_it_at_once() -> None:
    machine = opened(at=10, half_open_permits=1)
    moved = machine.observe("success", 11, 12)
    assert [(each.to_state, each.cause) for each in moved] == [
        ("half_open", "reset_timeout"),
        ("closed", "probes_succeeded"),
    ]
    assert [each.epoch for each in moved] == [2, 3]


def test_all_probes_of_a_round_count_though_the_fleet_hears_of_them_together() -> None:
    machine = opened(at=10, half_open_permits=3)
    assert causes(machine.observe("success", 11.0, 20)) == ["reset_timeout"]
    assert machine.observe("failure", 11.1, 20) == ()
    assert machine.observe("success", 10.9, 20) == ()
    assert causes(machine.observe("success", 11.2, 20)) == ["probes_succeeded"]


def test_a_failed_probe_opens_it_again_and_waits_longer() -> None:
    machine = opened(at=10, half_open_permits=1)
    moved = machine.observe("failure", 11, 12)
    assert causes(moved) == ["reset_timeout", "probe_failed"]
    assert moved[-1].retry_after_ms == 2_000


def test_nothing_is_computed_under_an_operators_hand() -> None:
    machine = breaker(max_failures=1)
    machine.force_open(0)
    assert machine.observe("failure", 1, 1) == ()
    machine.disable(2)
    assert machine.observe("failure", 3, 3) == ()
    assert machine.status(3).calls == 0


def test_ignored_results_are_not_even_probes() -> None:
    machine = opened(at=10)
    assert machine.observe("ignored", 12, 13) == ()
    assert machine.state(99) == "open"


def test_a_probe_of_its_own_that_expired_is_seen_when_somebody_elses_comes_back() -> None:
    machine = opened(at=0, half_open_permits=1, half_open_timeout_ms=500)
    machine.admit(1)
    assert causes(machine.observe("success", 1, 2)) == ["probe_expired"]


def test_the_epoch_alone_makes_no_probe_of_a_call_from_before_probes_were_possible() -> None:
    """Under metrics_only everything is admitted; what is shown still waits for its time."""
    machine = opened(at=10)
    assert machine.observe("success", 10.5, 10.6, 0.1, epoch=1) == ()
    assert machine.observe("success", 11.5, 11.6, 0.7, epoch=1) == ()
    assert machine.status(11.6).computed_state == "open"


def test_what_a_clock_says_does_not_matter_where_the_epoch_is_known() -> None:
    machine = opened(at=10)
    assert causes(machine.observe("success", -3_600, 11.2, 0.1, epoch=1)) == ["reset_timeout"]


def test_a_result_with_a_permit_frees_just_that_one() -> None:
    machine = opened(at=0, half_open_permits=2)
    first, second = permit(machine, 1), permit(machine, 1)
    assert machine.observe("success", 1, 2, epoch=2, probe=first.probe) == ()
    assert machine.status(2).permits_in_use == 1
    assert machine.observe("success", 1, 2, epoch=2, probe=first.probe) == (), "it was used"
    assert machine.observe("success", 1, 2, epoch=2, probe=99) == (), "nobody was given it"
    assert machine.status(2).calls == 1
    assert causes(machine.observe("success", 1, 2, epoch=2, probe=second.probe)) == ["probes_succeeded"]


def test_a_permit_of_a_round_that_is_over_counts_for_nothing() -> None:
    machine = opened(at=0, half_open_permits=1)
    probe = permit(machine, 1)
    machine.observe("success", 1, 2, epoch=2, probe=probe.probe)
    assert machine.observe("failure", 1, 2, epoch=3, probe=probe.probe) == ()
    assert machine.status(2).calls == 0


def test_an_ignored_result_gives_its_permit_back() -> None:
    machine = opened(at=0, half_open_permits=1)
    probe = permit(machine, 1)
    assert machine.observe("ignored", 1, 2, epoch=2, probe=probe.probe) == ()
    assert machine.status(2).permits_in_use == 0
    assert permit(machine, 2).probe == 2


def test_a_closed_breaker_loses_no_round_however_late_the_next_result_comes() -> None:
    machine = breaker()
    machine.reset(0)
    assert machine.observe("success", 9_999, 10_000) == ()
    assert machine.status(10_000).calls == 1


def test_a_result_is_as_slow_as_it_says() -> None:
    machine = breaker(slow_call_duration_ms=500)
    for duration_s in (0.5, 0.499):
        machine.observe("success", 1, 2, duration_s)
    machine.observe("success", 1, 2)
    assert (machine.status(2).calls, machine.status(2).slow_calls) == (3, 1)
