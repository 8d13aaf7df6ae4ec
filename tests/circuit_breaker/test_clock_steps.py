"""The clock between processes is the server's own; where that steps back, nobody waits longer than once more."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from featurememory.circuit_breaker.events import Permit
from featurememory.circuit_breaker.machine import BreakerMachine
from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal

HOUR = 3_600.0


@given(st.floats(0, 0.99), st.floats(0, 10 * HOUR))
def test_an_open_breaker_probes_after_at_most_twice_its_time_out(passed: float, back: float) -> None:
    machine = opened(at=5 * HOUR)
    assert refusal(machine, 5 * HOUR + passed).state == "open"
    clock = 5 * HOUR + passed - back
    wait = refusal(machine, clock).retry_after_ms
    assert wait is not None
    assert 0 < wait <= 1_001 + 1_000 * passed
    assert isinstance(machine.admit(clock + wait / 1_000 + 0.001), Permit)


def test_the_answer_without_the_lock_is_the_same() -> None:
    machine = opened(at=HOUR)
    refusal(machine, 10.0)
    assert machine.shut_until == 11.0


@given(st.floats(0, 10 * HOUR))
def test_probes_that_are_out_expire_all_the_same(back: float) -> None:
    machine = opened(at=5 * HOUR, half_open_permits=2, half_open_timeout_ms=5_000, max_failures=1)
    permit(machine, 5 * HOUR + 1)
    permit(machine, 5 * HOUR + 2)
    clock = 5 * HOUR + 2 - back
    refusal(machine, clock)
    assert machine.next_settlement() <= clock + 5.001
    assert causes(machine.settle(clock + 5.001)) == ["probe_expired"]


def test_a_round_nobody_decides_is_over_all_the_same() -> None:
    machine = opened(at=HOUR, half_open_permits=2, max_half_open_ms=30_000)
    call(machine, "success", HOUR + 1)
    assert machine.settle(10.0) == ()
    assert causes(machine.settle(40.0)) == ["half_open_expired"]


def test_results_known_by_their_time_alone_count_again_at_once() -> None:
    machine = breaker(max_failures=1)
    machine.reset(HOUR)
    assert machine.observe("failure", 5.0, 10.0, 5.0) == (), "begun before the clock was looked at"
    assert causes(machine.observe("failure", 11.0, 12.0, 1.0)) == ["max_failures"]


def test_trips_still_make_a_quorum_only_within_their_time() -> None:
    machine = breaker(trip_quorum=2)
    machine.reset(HOUR)
    machine.trip("gpu-1", "it failed", HOUR)
    machine.settle(10.0)
    assert machine.trip("gpu-2", "it failed", 71.0) == ()


def test_what_an_operator_laid_over_it_ends_at_the_moment_that_was_said() -> None:
    machine = breaker()
    machine.force_open(HOUR, HOUR + 60)
    assert machine.settle(10.0) == ()
    assert refusal(machine, HOUR + 59).state == "forced_open"
    assert causes(machine.settle(HOUR + 60)) == ["overlay_ended"]


def test_what_is_kept_of_it_knows_the_new_time() -> None:
    machine = opened(at=HOUR)
    refusal(machine, 10.0)
    kept = json.loads(json.dumps(machine.snapshot()))
    restored = BreakerMachine.restore(machine.config, kept)
    assert restored.status(10.0).may_probe_at == 11.0
    assert restored.status(10.0).since == 10.0


def test_a_window_counts_on() -> None:
    machine = breaker(window_type="time", window_size=10, max_failures=0, minimum_calls=4)
    machine.reset(HOUR)
    calls(machine, "FF", HOUR)
    assert causes(calls(machine, "FF", 10.0)) == ["failure_rate"]
