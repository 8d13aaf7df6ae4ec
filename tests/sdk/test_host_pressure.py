"""The host is looked at once a second, by whoever calls; under pressure calls are refused as overloaded."""

from __future__ import annotations

from typing import Any

import pytest

from featurememory import CircuitBreakerError
from featurememory.circuit_breaker.config import BreakerConfig, HealthThresholds
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.pressure import CpuTimes, HostPressure, read_cpu_times, read_memory_percent

BOTH = HealthThresholds()


class FakeHost:
    """A host with two processors and a hundred ticks a second each."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.busy = self.total = 0
        self.memory: float | None = 10.0
        self.looks = 0

    def cpu_times(self) -> CpuTimes:
        self.looks += 1
        return CpuTimes(self.busy, self.total)

    def work(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.total += int(200 * seconds)
        self.busy += int(200 * seconds * share)

    def pressure(self, **options: Any) -> HostPressure:
        return HostPressure(self.cpu_times, lambda: self.memory, **options)


@pytest.fixture(autouse=True)
def _five_seconds_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featurememory.sdk.pressure._LEAST_SPAN_S", 5.0)


def looked(pressure: HostPressure, host: FakeHost, thresholds: HealthThresholds = BOTH) -> str:
    pressure.look(host.now, {thresholds}, lambda: None)
    return pressure.on(thresholds)


def test_ten_seconds_of_work_press_and_a_short_burst_does_not() -> None:
    host = FakeHost()
    pressure = host.pressure()
    assert looked(pressure, host) == ""
    for _ in range(4):
        host.work(1, 1.0)
        assert looked(pressure, host) == "", "too early to tell"
    for _ in range(6):
        host.work(1, 1.0)
        words = looked(pressure, host)
    assert words == "cpu at 100 % (health_thresholds.cpu = 95 %)"
    host.work(1, 0.0)
    assert looked(pressure, host) == "cpu at 90 % (health_thresholds.cpu = 95 %)"
    host.work(1, 0.0)
    assert looked(pressure, host) == ""


def test_after_a_long_silence_it_begins_anew() -> None:
    host = FakeHost()
    pressure = host.pressure()
    looked(pressure, host)
    host.work(60, 1.0)
    assert looked(pressure, host) == ""


def test_memory_presses_at_once() -> None:
    host = FakeHost()
    host.memory = 96.0
    assert looked(host.pressure(), host) == "memory at 96 % (health_thresholds.memory = 95 %)"


def test_only_what_changed_is_told() -> None:
    host = FakeHost()
    pressure = host.pressure()
    assert pressure.look(host.now, {BOTH}, lambda: None) == {}
    host.memory = 99.0
    assert list(pressure.look(host.now, {BOTH}, lambda: None)) == [BOTH]
    assert pressure.look(host.now, {BOTH}, lambda: None) == {}
    host.memory = 5.0
    assert pressure.look(host.now, {BOTH}, lambda: None) == {BOTH: ""}


def test_what_nobody_wants_to_know_is_not_looked_at() -> None:
    host = FakeHost()
    off = HealthThresholds(cpu=None, memory=None)
    host.memory = 100.0
    assert looked(host.pressure(), host, off) == ""
    assert host.looks == 0


def test_breakers_refuse_while_it_lasts_each_by_its_own_thresholds() -> None:
    host = FakeHost()
    breakers = Breakers(BreakerConfig(), 10, clock=lambda: host.now, pressure=host.pressure(look_every_s=0))
    breakers.hear_configuration("breaker", "tough", {"health_thresholds": {"memory": None}})
    ordinary, tough = breakers["ordinary"], breakers["tough"]
    host.memory = 97.0
    assert tough.call(lambda: 42) == 42
    with pytest.raises(CircuitBreakerError, match=r"is overloaded \(memory at 97 %") as refused:
        ordinary.call(lambda: 42)
    assert refused.value.state == "overloaded"
    assert "memory" in ordinary.status().pressure
    with pytest.raises(CircuitBreakerError):
        breakers["made later"].call(lambda: 42)
    host.memory = 50.0
    assert ordinary.call(lambda: 42) == 42
    assert ordinary.status().failures == 0


def test_the_error_rate_of_all_breakers_together_presses() -> None:
    host = FakeHost()
    config = BreakerConfig.from_mapping({"health_thresholds": {"error_rate": 30}, "max_failures": 0})
    breakers = Breakers(config, 10, clock=lambda: host.now, pressure=host.pressure(look_every_s=0))
    for number in range(20):
        breaker = breakers["good" if number % 3 else "bad"]
        admitted = breaker.admit()
        breaker.record(admitted, "success" if number % 3 else "failure")  # type: ignore[arg-type]
    with pytest.raises(CircuitBreakerError, match=r"error_rate at 35 %"):
        breakers["good"].call(lambda: 42)


def test_the_figures_of_this_machine_are_figures() -> None:
    times = read_cpu_times()
    assert times is not None
    assert 0 < times.busy <= times.total
    percent = read_memory_percent()
    assert percent is not None
    assert 0 < percent < 100
