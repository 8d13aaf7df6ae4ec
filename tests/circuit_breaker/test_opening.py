"""When a closed breaker opens, and how long it stays so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.machine import BreakerMachine
from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


def test_three_failures_open_it_and_after_a_second_one_probe_closes_it() -> None:
    machine = breaker(max_failures=3, reset_timeout_ms=1_000, half_open_permits=1)
    assert calls(machine, "FF") == []
    (transition,) = calls(machine, "F")
    assert transition.cause == "max_failures"
    assert transition.message == "3 failures in a row reached max_failures = 3"
    assert refusal(machine, 0.999).retry_after_ms == pytest.approx(1)
    closed = call(machine, "success", 1.0)
    assert closed is not None
    assert (closed.from_state, closed.to_state) == ("half_open", "closed")


def test_a_success_between_failures_starts_the_count_anew() -> None:
    machine = breaker(max_failures=3)
    assert calls(machine, "FFSFFSFF") == []


def test_max_failures_of_zero_leaves_it_to_the_rate() -> None:
    machine = breaker(max_failures=0, minimum_calls=20)
    assert calls(machine, "F" * 19) == []
    assert causes(calls(machine, "F")) == ["failure_rate"]


def test_the_failure_rate_opens_it_once_enough_calls_are_known() -> None:
    machine = breaker(max_failures=0, minimum_calls=4, window_size=10, failure_rate_threshold=50)
    assert calls(machine, "FFS") == []
    (transition,) = calls(machine, "S")
    assert transition.cause == "failure_rate"
    assert transition.message == "2 of 4 calls failed, which reached failure_rate_threshold = 50 %"
    assert transition.counts == {"calls": 4, "failures": 2, "slow_calls": 0, "consecutive_failures": 0}


def test_results_that_left_the_window_do_not_count() -> None:
    machine = breaker(max_failures=0, minimum_calls=4, window_size=4, failure_rate_threshold=75)
    assert calls(machine, "FFSS" + "SS" + "FF") == []
    assert causes(calls(machine, "F")) == ["failure_rate"]


def test_ignored_results_leave_no_trace() -> None:
    machine = breaker(max_failures=2)
    calls(machine, "F")
    before = machine.snapshot()
    assert call(machine, "ignored", 0) is None
    assert machine.snapshot() == before


def test_a_closed_breaker_gives_everybody_the_same_permit() -> None:
    machine = breaker()
    assert permit(machine, 0) is permit(machine, 1)


def test_each_failed_round_of_probes_doubles_the_wait_up_to_the_maximum() -> None:
    machine = opened(half_open_permits=1, max_reset_timeout_ms=5_000)
    now, waits = 0.0, []
    for _ in range(5):
        wait = refusal(machine, now).retry_after_ms
        assert wait is not None
        waits.append(wait)
        now += wait / 1_000
        call(machine, "failure", now)
    assert waits == pytest.approx([1_000, 2_000, 4_000, 5_000, 5_000])


def test_closing_forgets_the_backoff() -> None:
    machine = opened(half_open_permits=1)
    call(machine, "failure", 1)
    call(machine, "success", 3)
    calls(machine, "FFF", 4)
    assert refusal(machine, 4).retry_after_ms == pytest.approx(1_000)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_jitter_only_shortens_the_wait_and_by_no_more_than_its_share(luck: float, jitter: float) -> None:
    config = BreakerConfig(max_failures=1, jitter=jitter)
    machine = BreakerMachine(config, random=lambda: luck)
    call(machine, "failure", 0)
    wait = refusal(machine, 0).retry_after_ms
    assert wait is not None
    assert 1_000 * (1 - jitter) <= wait <= 1_000


def test_an_open_breaker_admits_nothing_until_its_time() -> None:
    machine = opened()
    assert {refusal(machine, now / 100).state for now in range(100)} == {"open"}
    assert permit(machine, 1.0)


def test_successes_that_were_only_counted_break_a_run_of_failures_and_fill_the_window() -> None:
    machine = breaker(max_failures=3, minimum_calls=1, window_size=10, failure_rate_threshold=100)
    calls(machine, "SFF")
    everybody = machine.relaxed
    assert everybody is not None
    next(everybody.successes)
    assert calls(machine, "FF") == []
    assert (machine.status(0).calls, machine.status(0).failures) == (6, 4)
    for _ in range(25):
        next(everybody.successes)
    assert (machine.status(0).calls, machine.status(0).failures) == (10, 0)


def test_a_breaker_that_a_success_could_move_is_not_relaxed() -> None:
    machine = breaker(minimum_calls=5)
    calls(machine, "SSSS")
    assert machine.relaxed is None
    calls(machine, "S")
    assert machine.relaxed is permit(machine, 0)
    machine.force_open(0)
    assert machine.relaxed is None


def test_a_share_just_below_the_threshold_leaves_it_closed() -> None:
    machine = breaker(max_failures=0, window_size=101, minimum_calls=101)
    assert calls(machine, "FS" * 50 + "S") == []
    assert causes(calls(machine, "F")) == []
    assert causes(calls(machine, "F")) == ["failure_rate"]


def test_a_share_of_slow_calls_just_below_the_threshold_leaves_it_closed() -> None:
    machine = breaker(
        window_size=101, minimum_calls=101, slow_call_duration_ms=500, slow_call_rate_threshold=50
    )
    for _ in range(50):
        call(machine, "success", 0, 0.5)
    assert calls(machine, "S" * 51) == []


def test_a_result_without_a_duration_is_not_slow() -> None:
    machine = breaker(slow_call_duration_ms=500)
    machine.record(permit(machine, 0), "failure", 0)
    assert machine.status(0).slow_calls == 0
