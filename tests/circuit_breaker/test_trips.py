"""The breakers of single processes trip, and the fleet's heeds them: at once, or when enough of them have."""

from __future__ import annotations

from featurememory.circuit_breaker.machine import TRIPS_WITHIN_S
from tests.circuit_breaker.histories import breaker, causes, opened

WHY = "5 failures in a row reached max_failures = 5"


def test_one_trip_opens_it_and_says_whose() -> None:
    (transition,) = breaker().trip("gpu-1", WHY, 0)
    assert (transition.cause, transition.message) == ("tripped", f"gpu-1 tripped: {WHY}")
    assert transition.retry_after_ms == 1_000


def test_with_a_quorum_one_bad_host_does_not_stop_the_good_ones() -> None:
    machine = breaker(trip_quorum=2)
    for now in range(10):
        assert machine.trip("gpu-1", WHY, now) == ()
        assert machine.observe("failure", now, now) == ()
    (transition,) = machine.trip("gpu-2", WHY, 10)
    assert transition.message == f"gpu-2 tripped (as 2 processes did): {WHY}"


def test_trips_that_lie_too_far_apart_make_no_quorum() -> None:
    machine = breaker(trip_quorum=2)
    machine.trip("gpu-1", WHY, 0)
    assert machine.trip("gpu-2", WHY, TRIPS_WITHIN_S) == ()
    assert causes(machine.trip("gpu-1", WHY, TRIPS_WITHIN_S + 1)) == ["tripped"]


def test_a_reset_forgets_trips() -> None:
    machine = breaker(trip_quorum=2)
    machine.trip("gpu-1", WHY, 0)
    machine.reset(1)
    assert machine.trip("gpu-2", WHY, 2) == ()


def test_a_trip_from_before_a_reset_is_late() -> None:
    machine = breaker()
    machine.reset(0)
    assert machine.trip("gpu-1", WHY, 1, epoch=0) == ()
    assert causes(machine.trip("gpu-1", WHY, 1, epoch=1)) == ["tripped"]


def test_what_an_operator_holds_does_not_trip() -> None:
    machine = breaker()
    machine.disable(0)
    assert machine.trip("gpu-1", WHY, 1) == ()
    machine.release(2)
    assert causes(machine.trip("gpu-1", WHY, 3)) == ["tripped"]


def test_an_open_breaker_opens_no_further() -> None:
    machine = opened(at=0)
    assert machine.trip("gpu-1", WHY, 0.9) == ()
    assert machine.status(0.9).retry_after_ms is not None
