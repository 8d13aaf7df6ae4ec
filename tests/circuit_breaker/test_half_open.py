"""Probes: how many, what they decide, and that none is ever lost."""

from __future__ import annotations

from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


def test_no_more_than_the_permitted_probes_are_out_at_once() -> None:
    machine = opened(half_open_permits=3)
    assert [permit(machine, 1).probe for _ in range(3)] == [1, 2, 3]
    assert refusal(machine, 1).state == "half_open"
    assert machine.status(1).permits_in_use == 3


def test_the_first_permit_after_the_time_out_tells_that_it_is_half_open() -> None:
    machine = opened()
    assert causes(permit(machine, 1).transitions) == ["reset_timeout"]
    assert permit(machine, 1).transitions == ()


def test_it_closes_when_all_probes_are_back_and_no_threshold_is_reached() -> None:
    machine = opened(half_open_permits=3)
    assert calls(machine, "SF", 1) == []
    assert causes(calls(machine, "S", 1)) == ["probes_succeeded"]
    assert machine.status(1).calls == 0


def test_it_opens_as_soon_as_the_threshold_cannot_be_missed_any_more() -> None:
    machine = opened(half_open_permits=3)
    (transition,) = calls(machine, "FF", 1)
    assert (transition.cause, transition.message) == ("probe_failed", "2 of 3 probes failed")


def test_failures_in_a_row_decide_there_too() -> None:
    machine = opened(max_failures=2, half_open_permits=10, failure_rate_threshold=100)
    assert causes(calls(machine, "SFF", 1)) == ["probe_failed"]


def test_an_ignored_probe_gives_its_permit_back() -> None:
    machine = opened(half_open_permits=1)
    for _ in range(10):
        assert call(machine, "ignored", 1) is None
    assert machine.status(1).permits_in_use == 0
    assert causes(calls(machine, "S", 1)) == ["probes_succeeded"]


def test_a_probe_that_is_not_heard_of_in_time_counts_as_failed() -> None:
    machine = opened(half_open_permits=1, half_open_timeout_ms=500)
    lost = permit(machine, 1)
    (transition,) = refusal(machine, 1.5).transitions
    assert transition.cause == "probe_expired"
    assert transition.message == "1 of 1 probes failed, 1 of them not heard of in time"
    assert machine.record(lost, "success", 1.6) == ()
    assert machine.state(99) == "open"


def test_a_probe_that_comes_back_after_it_expired_counts_only_once() -> None:
    machine = opened(half_open_permits=3, half_open_timeout_ms=500)
    late = permit(machine, 1)
    calls(machine, "S", 1.6)
    assert machine.record(late, "failure", 1.7) == ()
    assert machine.status(1.7).failures == 1
    assert causes(calls(machine, "S", 1.8)) == ["probes_succeeded"]


def test_probes_that_vanish_for_ever_never_block_it() -> None:
    machine = opened(half_open_permits=1, half_open_timeout_ms=500, max_reset_timeout_ms=1_000)
    now, probes = 0.0, 0
    for _ in range(1_000):
        now += 0.1
        probes += hasattr(machine.admit(now), "probe")
    assert 60 < probes < 70


def test_a_success_admitted_while_closed_does_not_close_it() -> None:
    machine = breaker(max_failures=3, half_open_permits=1)
    slow = permit(machine, 0)
    calls(machine, "FFF")
    probe = permit(machine, 1)
    assert machine.record(slow, "success", 1.1) == ()
    assert machine.state(99) == "half_open"
    assert causes(machine.record(probe, "success", 1.2)) == ["probes_succeeded"]


def test_a_late_failure_does_not_reopen_what_recovered() -> None:
    machine = breaker(max_failures=1, half_open_permits=1)
    slow = [permit(machine, 0) for _ in range(5)]
    calls(machine, "F")
    calls(machine, "S", 1)
    assert [machine.record(each, "failure", 2) for each in slow] == [()] * 5
    assert machine.status(2).failures == 0


def test_permits_of_an_older_round_give_nothing_back() -> None:
    machine = opened(half_open_permits=1)
    old = permit(machine, 1)
    machine.reset(1)
    calls(machine, "FFF", 1)
    assert permit(machine, 2).probe == 1
    machine.record(old, "ignored", 2)
    assert refusal(machine, 2).state == "half_open"


def test_results_that_are_back_use_up_their_permits() -> None:
    machine = opened(half_open_permits=3)
    calls(machine, "S", 1)
    permit(machine, 1)
    permit(machine, 1)
    assert refusal(machine, 1).state == "half_open"


def test_reaching_the_threshold_exactly_opens_it() -> None:
    machine = opened(half_open_permits=4, failure_rate_threshold=50)
    assert causes(calls(machine, "SFSF", 1)) == ["probe_failed"]


def test_one_failed_probe_is_one_too_many_where_one_failure_opens_it() -> None:
    machine = opened(max_failures=1, half_open_permits=10, failure_rate_threshold=100)
    assert causes(calls(machine, "F", 1)) == ["probe_failed"]


def test_failures_in_a_row_do_not_matter_where_they_are_switched_off() -> None:
    machine = breaker(max_failures=0, minimum_calls=1, half_open_permits=5, failure_rate_threshold=60)
    calls(machine, "F")
    assert causes(calls(machine, "FFSSS", 1)) == ["probes_succeeded"]


def test_a_share_just_below_the_threshold_closes_it() -> None:
    machine = opened(
        max_failures=3, half_open_permits=101, slow_call_duration_ms=500, slow_call_rate_threshold=50
    )
    assert causes(calls(machine, "SF" * 50 + "S", 1)) == ["probes_succeeded"]
    machine = opened(
        max_failures=3, half_open_permits=101, slow_call_duration_ms=500, slow_call_rate_threshold=50
    )
    assert [call(machine, "success", 1, 0.5) for _ in range(50)] == [None] * 50
    assert causes(calls(machine, "S" * 51, 1)) == ["probes_succeeded"]


def test_a_probe_has_all_of_its_time_and_no_more() -> None:
    machine = opened(half_open_permits=2, half_open_timeout_ms=30_000)
    permit(machine, 1)
    assert machine.next_settlement() == 31
    assert machine.status(30.99).permits_in_use == 1
    assert machine.status(31).permits_in_use == 0
    assert machine.settle(30.99) == ()


def test_what_comes_first_is_looked_at_first() -> None:
    machine = opened(half_open_permits=2, half_open_timeout_ms=30_000, max_half_open_ms=30_000)
    assert call(machine, "ignored", 1) is None
    permit(machine, 5)
    assert machine.next_settlement() == 31, "the round is over before its probe"
    machine = opened(half_open_permits=3, half_open_timeout_ms=10_000)
    for now in (1, 2):
        permit(machine, now)
    assert machine.next_settlement() == 11


def test_it_wants_a_probe_from_its_time_on_and_all_through_a_round() -> None:
    machine = opened()
    assert not machine.wants_probe(0.999)
    assert machine.wants_probe(1.0)
    permit(machine, 1)
    assert machine.wants_probe(1.0)
    machine.force_open(1.0)
    assert not machine.wants_probe(1.0)


def test_results_begun_before_the_round_are_none_of_its() -> None:
    machine = opened()
    permit(machine, 5)
    assert machine.observe("success", 4.9, 6) == ()
    assert machine.status(6).calls == 0
