"""A machine goes on from its snapshot as if nothing had been: what is kept, and what is not understood."""

from __future__ import annotations

import json
from math import inf

import pytest

from featurememory import FeatureMemoryError
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.machine import SNAPSHOT_FORMAT, BreakerMachine
from tests.circuit_breaker.histories import breaker, call, calls, causes, opened, permit, refusal


def restored(machine: BreakerMachine, **settings: object) -> BreakerMachine:
    config = machine.config._replace(**settings)  # type: ignore[arg-type]
    return BreakerMachine.restore(config, json.loads(json.dumps(machine.snapshot(), allow_nan=False)))


def test_a_fresh_one_takes_results_whenever_they_began() -> None:
    machine = restored(breaker(max_failures=1))
    assert causes(machine.observe("failure", -1e12, 0)) == ["max_failures"]


def test_what_is_over_is_not_kept() -> None:
    machine = opened(half_open_permits=1)
    calls(machine, "S", 1)
    kept = machine.snapshot()
    assert (kept["state"], kept["round"], kept["may_probe_at"]) == ("closed", None, 0.0)
    assert machine.next_settlement() == inf


def test_a_round_of_probes_ends_when_it_would_have() -> None:
    machine = opened(half_open_permits=3, max_half_open_ms=30_000)
    calls(machine, "S", 1)
    machine = restored(machine)
    assert machine.next_settlement() == 31
    assert causes(machine.settle(31)) == ["half_open_expired"]


def test_probes_are_numbered_on() -> None:
    machine = opened(half_open_permits=3)
    permit(machine, 1)
    assert permit(restored(machine), 1).probe == 2


def test_probes_that_expired_are_not_forgotten() -> None:
    machine = opened(half_open_permits=3, half_open_timeout_ms=2_000)
    permit(machine, 1)
    call(machine, "success", 3)
    (lost,) = calls(restored(machine), "F", 3)
    assert lost.message == "2 of 3 probes failed, 1 of them not heard of in time"


def test_who_tripped_is_not_forgotten() -> None:
    machine = breaker(trip_quorum=2)
    machine.trip("gpu-1", "it failed", 0)
    assert causes(restored(machine).trip("gpu-2", "it failed", 1)) == ["tripped"]


def test_the_next_wait_is_shortened_by_the_luck_that_it_is_given() -> None:
    config = BreakerConfig(max_failures=1, jitter=0.5)
    machine = BreakerMachine.restore(config, BreakerMachine(config).snapshot(), random=lambda: 0.5)
    calls(machine, "F")
    assert refusal(machine, 0).retry_after_ms == 750


def test_other_thresholds_decide_by_what_is_back_already_and_say_so() -> None:
    machine = opened(half_open_permits=4, max_failures=3, failure_rate_threshold=100)
    calls(machine, "FS", 1)
    (lost,) = restored(machine, failure_rate_threshold=25.0).settle(1)
    assert (lost.cause, lost.message) == ("probe_failed", "1 of 4 probes failed")


@pytest.mark.parametrize("state", ["closed", "open", "half_open", "forced_open"])
def test_another_configuration_forgets_no_state(state: str) -> None:
    machine = breaker(max_failures=3, half_open_permits=2)
    calls(machine, "FF" if state == "closed" else "FFF")
    if state == "half_open":
        permit(machine, 1)
    if state == "forced_open":
        machine.force_open(0.5, 9.0)
    before = machine.status(1)
    after = restored(machine, max_failures=7, window_size=50, reset_timeout_ms=3_000.0).status(1)
    assert after == before


@pytest.mark.parametrize("kept", [{}, {"format": 1}])
def test_a_snapshot_of_another_format_is_refused_with_what_to_do(kept: dict[str, int]) -> None:
    with pytest.raises(FeatureMemoryError, match="upgrade, or reset the breaker") as caught:
        BreakerMachine.restore(BreakerConfig(), kept)
    found = kept.get("format")
    assert str(caught.value) == (
        f"A breaker's snapshot has format {found!r}, this version reads {SNAPSHOT_FORMAT}: upgrade, or reset the "
        "breaker."
    )
    assert caught.value.data == {"format": found}
