"""A host under pressure refuses calls as overloaded, and says by what; that ends by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from featurememory.circuit_breaker.config import HealthThresholds
from featurememory.circuit_breaker.pressure import RELIEF, Pressure, Sample
from tests.circuit_breaker.histories import breaker, calls, opened, permit, refusal

CPU = "cpu at 97 % (health_thresholds.cpu = 95 %)"


def test_what_is_beyond_its_threshold_is_named_with_its_figures() -> None:
    pressure = Pressure(HealthThresholds(cpu=95, memory=90, error_rate=20))
    assert pressure.judge(Sample(cpu=97, memory=50, error_rate=0)) == CPU
    assert pressure.judge(Sample(cpu=10, memory=91, error_rate=25)) == (
        "memory at 91 % (health_thresholds.memory = 90 %) and error_rate at 25 % (health_thresholds.error_rate = 20 %)"
    )


def test_it_ends_only_well_below_the_threshold() -> None:
    pressure = Pressure(HealthThresholds(cpu=95))
    assert not pressure.judge(Sample(cpu=94.9))
    assert pressure.judge(Sample(cpu=95))
    assert pressure.judge(Sample(cpu=95 - RELIEF))
    assert not pressure.judge(Sample(cpu=95 - RELIEF - 0.1))
    assert not pressure.judge(Sample(cpu=94.9))


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=20))
def test_what_is_switched_off_or_unknown_never_presses(figures: list[float | None]) -> None:
    pressure = Pressure(HealthThresholds(cpu=None, memory=None))
    assert not any(pressure.judge(Sample(cpu=each, memory=each, error_rate=each)) for each in figures)
    assert not any(
        Pressure(HealthThresholds(cpu=1, memory=None)).judge(Sample(memory=each)) for each in figures
    )


def test_calls_are_refused_while_it_lasts_and_nothing_else_changes() -> None:
    machine = breaker(max_failures=3)
    calls(machine, "SFF")
    before = machine.snapshot()
    machine.feel(CPU)
    refused = refusal(machine, 5)
    assert (refused.state, refused.retry_after_ms, refused.detail) == ("overloaded", None, CPU)
    assert (machine.status(5).state, machine.status(5).pressure) == ("closed", CPU)
    machine.feel("")
    assert machine.snapshot() == before
    assert [each.cause for each in calls(machine, "F")] == ["max_failures"]


def test_calls_that_were_under_way_still_count() -> None:
    machine = breaker(max_failures=1)
    running = permit(machine, 0)
    machine.feel(CPU)
    assert [each.cause for each in machine.record(running, "failure", 1)] == ["max_failures"]


def test_successes_that_were_only_counted_are_not_lost_to_it() -> None:
    machine = breaker(minimum_calls=1)
    calls(machine, "S")
    everybody = machine.relaxed
    assert everybody is not None
    next(everybody.successes)
    machine.feel(CPU)
    assert machine.relaxed is None
    assert machine.status(0).calls == 2
    machine.feel("")
    assert calls(machine, "S") == []
    assert machine.status(0).calls == 3


def test_no_probe_goes_out_under_pressure_and_the_breaker_is_not_stuck_after_it() -> None:
    machine = opened()
    machine.feel(CPU)
    assert not machine.wants_probe(5)
    assert refusal(machine, 5).state == "overloaded"
    assert machine.status(5).computed_state == "open"
    machine.feel("")
    assert machine.wants_probe(5)
    assert permit(machine, 5).probe == 1


def test_an_operator_who_disabled_it_is_obeyed_under_pressure_too() -> None:
    machine = breaker()
    machine.feel(CPU)
    machine.disable(0)
    assert permit(machine, 0)
    machine.release(1)
    assert refusal(machine, 1).state == "overloaded"
