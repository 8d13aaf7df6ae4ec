"""A call that lasts too long counts as slow, whether it succeeds or not."""

from __future__ import annotations

from tests.circuit_breaker.histories import breaker, call, causes, opened, permit

SLOW = {"slow_call_duration_ms": 500, "slow_call_rate_threshold": 50, "max_failures": 0, "minimum_calls": 4}


def test_slow_successes_open_it_at_their_threshold() -> None:
    machine = breaker(**SLOW)
    assert [call(machine, "success", 0, seconds) for seconds in (0.1, 0.5, 0.499)] == [None] * 3
    transition = call(machine, "success", 0, 2)
    assert transition is not None
    assert transition.cause == "slow_call_rate"
    assert transition.message == (
        "2 of 4 calls lasted 500 ms or longer, which reached slow_call_rate_threshold = 50 %"
    )
    assert transition.counts["slow_calls"] == 2


def test_a_slow_failure_counts_as_both() -> None:
    machine = breaker(**SLOW, failure_rate_threshold=100)
    call(machine, "failure", 0, 1)
    status = machine.status(0)
    assert (status.failures, status.slow_calls) == (1, 1)


def test_below_the_minimum_nothing_is_slow_enough() -> None:
    machine = breaker(**SLOW)
    assert [call(machine, "success", 0, 9) for _ in range(3)] == [None] * 3
    assert machine.status(0).slow_call_rate is None


def test_slow_probes_open_it_again() -> None:
    machine = opened(slow_call_duration_ms=500, half_open_permits=2)
    assert call(machine, "success", 1, 1) is None
    transition = call(machine, "success", 1, 1)
    assert transition is not None
    assert (transition.cause, transition.message) == ("probe_failed", "2 of 2 probes were slow")


def test_one_slow_probe_of_two_closes_it_where_all_would_have_to_be_slow() -> None:
    machine = opened(slow_call_duration_ms=500, half_open_permits=2)
    call(machine, "success", 1, 1)
    assert causes(machine.record(permit(machine, 1), "success", 1, 0.1)) == ["probes_succeeded"]
