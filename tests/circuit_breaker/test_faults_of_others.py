"""Faults that other circuit breakers have, each reproduced or reported there: none of them is ours.

The numbers are those of the list in the project's notes; whoever is named in a docstring has the fault.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from threading import Barrier, Thread
from threading import enumerate as running_threads
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from featurememory import CircuitBreakerError, FeatureMemory
from featurememory.circuit_breaker.commands import Order, force_open_breaker, reset_breaker
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.circuit_breaker.events import Permit, Refusal
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.circuit_breaker.permits import ask_for_permit
from featurememory.ingestion.receive import intake
from featurememory.models import Breaker
from featurememory.sdk.breakers import Breakers, LocalBreaker
from featurememory.sdk.fleet_news import BreakerNews
from featurememory.sdk.permits import Grant
from tests.circuit_breaker.histories import breaker, opened, permit, refusal
from tests.operations import operation, store


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def local(clock: Callable[[], float], **settings: Any) -> LocalBreaker:
    """A process's own breaker, which three failures open."""
    config = BreakerConfig.from_mapping({"max_failures": 3, "jitter": 0} | settings)
    return Breakers(config, 10, clock=clock)["a"]


def fail(guarded: LocalBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ZeroDivisionError):
            guarded.call(lambda: 1 / 0)


def state(guarded: LocalBreaker) -> str:
    return guarded.status().state


def news(state: str, epoch: int, cause: str = "") -> BreakerNews:
    return BreakerNews("a", state, state, cause, epoch, epoch, None, None, is_snapshot=False)


# 1. A lock held over the user's call


def sixteen_at_once(guarded: LocalBreaker) -> None:
    """Sixteen calls that all have to be under way before any may end."""
    together = Barrier(16)
    threads = [Thread(target=guarded.call, args=(lambda: together.wait(20),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not together.broken


def test_1_sixteen_calls_run_side_by_side(clock: Clock) -> None:
    """pybreaker needs 0.81 s for 16 calls of 50 ms."""
    guarded = local(clock, max_failures=1, window_size=16, minimum_calls=16)
    sixteen_at_once(guarded)
    assert guarded.status().calls == 16


def test_1_sixteen_probes_run_side_by_side(clock: Clock) -> None:
    guarded = local(clock, half_open_permits=16)
    fail(guarded, 3)
    clock.now += 1
    sixteen_at_once(guarded)
    assert state(guarded) == "closed"


def test_1_where_the_shared_store_is_away_calls_go_on(clock: Clock) -> None:
    """A distributed breaker in Go refuses everything when its Redis is down."""

    class Away:
        def ask(self, breaker: str) -> Grant | None:
            return None

    guarded = local(clock, half_open_permits=1)
    guarded._breakers.fleet = Away()
    assert guarded.call(lambda: 42) == 42
    fail(guarded, 3)
    clock.now += 1
    assert isinstance(guarded.admit(), Permit)


# 2. Stale results


def test_2_a_success_admitted_earlier_closes_no_half_open_breaker(clock: Clock) -> None:
    """Resilience4j, opossum and Sentinel close."""
    guarded = local(clock, half_open_permits=1)
    slow = guarded.admit()
    fail(guarded, 3)
    clock.now += 1
    probe = guarded.admit()
    assert isinstance(slow, Permit)
    assert isinstance(probe, Permit)
    guarded.record(slow, "success")
    assert state(guarded) == "half_open"
    guarded.record(probe, "success")
    assert state(guarded) == "closed"


def test_2_nor_does_one_that_the_server_hears_of_late() -> None:
    machine = opened(at=10, half_open_permits=1)
    permit(machine, 11)
    assert machine.observe("success", 9, 12, duration_s=3, epoch=0) == ()
    assert machine.observe("success", 9, 12, duration_s=3) == ()
    assert machine.state(12) == "half_open"


# 3. Permits inflated by late releases


def test_3_late_results_of_earlier_rounds_give_no_permit_back() -> None:
    """Resilience4j admits six where one is permitted."""
    machine = opened(half_open_permits=1, half_open_timeout_ms=500, max_reset_timeout_ms=1_000)
    late, now = [], 0.0
    for _ in range(6):
        now += 2
        late.append(permit(machine, now))
        now += 0.5
        assert refusal(machine, now).state == "open", "the probe was missed"
    now += 2
    permit(machine, now)
    for each in late:
        machine.record(each, "ignored", now)
        machine.observe("ignored", now, now, epoch=each.epoch, probe=each.probe)
    assert {refusal(machine, now).state for _ in range(10)} == {"half_open"}
    assert machine.status(now).permits_in_use == 1


# 4. Half-open for ever, or half open to everybody


def test_4_a_probe_that_never_comes_back_blocks_nobody_for_longer_than_its_time(clock: Clock) -> None:
    """Resilience4j and opossum stay half-open; somebody saw six days of it and 49,607 refusals."""
    guarded = local(clock, half_open_permits=1, half_open_timeout_ms=30_000)
    fail(guarded, 3)
    clock.now += 1
    assert isinstance(guarded.admit(), Permit)
    clock.now += 30
    assert isinstance(guarded.admit(), Refusal)
    clock.now += 2
    assert guarded.call(lambda: 42) == 42
    assert state(guarded) == "closed"


def test_4_of_fifty_callers_only_the_permitted_ones_probe(clock: Clock) -> None:
    """aiobreaker and purgatory let all fifty through."""
    guarded = local(clock, half_open_permits=2)
    fail(guarded, 3)
    clock.now += 1

    async def fifty() -> int:
        go = asyncio.Event()

        async def one() -> bool:
            admitted = await guarded.admit_async()
            await go.wait()
            return isinstance(admitted, Permit)

        tasks = [asyncio.ensure_future(one()) for _ in range(50)]
        await asyncio.sleep(0)
        go.set()
        return sum(await asyncio.gather(*tasks))

    assert asyncio.run(fifty()) == 2


# 5. A reset that leaves a timer armed, or does not reach the cluster


def test_5_a_reset_is_followed_by_nothing_however_long_nobody_calls(clock: Clock) -> None:
    """Resilience4j opened a closed breaker without any call."""
    guarded = local(clock, half_open_permits=1, half_open_timeout_ms=5_000)
    before = set(running_threads())
    fail(guarded, 3)
    clock.now += 1
    probe = guarded.admit()
    guarded.hear(news("closed", 9, "reset"))
    for _ in range(1_000):
        clock.now += 60
        assert state(guarded) == "closed"
    assert isinstance(probe, Permit)
    guarded.record(probe, "failure")
    assert guarded.status().calls == 0
    assert set(running_threads()) == before, "nobody waits to do something"


def test_5_nor_on_the_server() -> None:
    machine = opened(at=0, half_open_permits=1)
    permit(machine, 1)
    machine.reset(2)
    assert machine.next_settlement() == inf
    assert machine.settle(1e9) == ()
    assert machine.state(1e9) == "closed"


@pytest.mark.django_db(transaction=True)
def test_5_a_reset_reaches_every_process(clock: Clock) -> None:
    """With a Redis-backed breaker in Python both processes stayed open. That it also arrives over the network, and how
    soon, is in tests/live/test_reset_reaches_sdk.py and the benchmark of reset propagation."""
    from json import loads

    from featurememory.live.hub import read_events_after

    processes = [local(clock) for _ in range(2)]
    for each in processes:
        fail(each, 3)
    store(intake(), *[operation(breaker="a", outcome="error") for _ in range(5)])
    reset_breaker("a", Order("olga", "fixed"))
    for event in read_events_after(0):
        for each in processes:
            each.hear(BreakerNews.of_transition(loads(event.data), clock.now))
    assert [state(each) for each in processes] == ["closed", "closed"]
    assert ask_for_permit("a", timezone.now()).state == "closed"


# 6. The protector's own refusals counted as failures


def test_6_refusals_are_no_failures(clock: Clock) -> None:
    """opossum opens itself by its own capacity."""
    inner, outer = local(clock), local(clock)
    fail(inner, 3)
    for _ in range(50):
        with pytest.raises(CircuitBreakerError):
            outer.call(lambda: inner.call(lambda: 42))
    assert (state(outer), outer.status().calls, inner.status().calls) == ("closed", 0, 3)


def test_6_nor_is_overload(clock: Clock) -> None:
    guarded = local(clock)
    guarded.feel("memory at 97 % (health_thresholds.memory = 95 %)")
    for _ in range(50):
        with pytest.raises(CircuitBreakerError, match="overloaded"):
            guarded.call(lambda: 42)
    guarded.feel("")
    assert (state(guarded), guarded.status().calls) == ("closed", 0)


@pytest.mark.django_db(transaction=True)
def test_6_nor_are_they_to_the_server() -> None:
    now = timezone.now().timestamp()
    refused = Result(now, now, "ignored", 0.0, was_refused=True)
    answered = Result(now, now, "success", 0.0)
    Fleet(10).observe({"a": BreakerResults("t", "m", [answered, *[refused] * 50])}, now)
    found = Breaker.objects.get()
    assert (found.state, found.calls) == ("closed", {"success": 1, "not_permitted": 50})


# 7. Wall clocks


def test_7_a_wall_clock_that_steps_moves_no_breaker_of_a_process() -> None:
    """aiobreaker mixes UTC and local time: five seconds became five hours. Hystrix, Sentinel and purgatory go by the
    wall clock."""
    memory = FeatureMemory("", breaker={"max_failures": 1, "reset_timeout_ms": 60_000, "jitter": 0})
    guarded = memory.breaker("a")
    fail(guarded)
    for hours in (-5, 5, 50_000):
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
            wait = guarded.status().retry_after_ms
            assert wait is not None
            assert 50_000 < wait <= 60_000
            with pytest.raises(CircuitBreakerError):
                guarded.call(lambda: 42)


@pytest.mark.django_db(transaction=True)
def test_7_the_servers_clock_may_step_back_and_nobody_waits_for_hours() -> None:
    store(intake(), *[operation(breaker="a", outcome="error") for _ in range(5)])
    earlier = timezone.now() - timedelta(hours=5)
    wait = ask_for_permit("a", earlier).retry_after_ms
    assert wait is not None
    assert ask_for_permit("a", earlier + timedelta(milliseconds=wait + 1)).allowed


def test_7_callers_whose_clock_is_wrong_are_heard_all_the_same() -> None:
    """tests/circuit_breaker/test_clock_steps.py and the simulated fleet go further."""
    for wrong_by in (-5 * 3_600.0, 5 * 3_600.0):
        machine = breaker(max_failures=1)
        machine.reset(100_000)
        (moved,) = machine.observe("failure", 100_001 + wrong_by, 100_002, 0.5, epoch=1)
        assert moved.cause == "max_failures"


# 8. KeyboardInterrupt and cancellation counted as failures


@pytest.mark.parametrize(
    "ends",
    [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, concurrent.futures.CancelledError],
)
def test_8_what_ends_more_than_the_call_is_no_failure(ends: type[BaseException], clock: Clock) -> None:
    """pybreaker counts it."""
    guarded = local(clock, max_failures=1, half_open_permits=1)

    def end() -> None:
        raise ends

    for _ in range(9):
        with pytest.raises(ends):
            guarded.call(end)
    assert (state(guarded), guarded.status().calls) == ("closed", 0)
    fail(guarded)
    clock.now += 1
    for _ in range(9):
        with pytest.raises(ends):
            guarded.call(end)
    assert (state(guarded), guarded.status().permits_in_use) == ("half_open", 0)


# 9. Breakers per key that are never dropped, or dropped while forced


def test_9_breakers_by_key_are_dropped_and_leave_nothing(clock: Clock) -> None:
    breakers = Breakers(BreakerConfig(), 20, clock=clock)
    first = weakref.ref(breakers["user-0"])
    for number in range(5_000):
        breakers[f"user-{number}"].call(int)
    gc.collect()
    assert first() is None
    assert len(breakers.statuses()) <= 20


def test_9_news_of_ever_new_keys_is_kept_of_so_many_only(clock: Clock) -> None:
    breakers = Breakers(BreakerConfig(), 20, clock=clock)
    held = BreakerNews("held", "forced_open", "closed", "", 1, 1, None, None, is_snapshot=False)
    breakers.hear(held)
    for number in range(5_000):
        breakers.hear(news("closed", number + 2)._replace(name=f"user-{number}"))
    assert len(breakers._news) <= 21
    assert state(breakers["held"]) == "forced_open"
    assert breakers["user-4999"].fleet_epoch == 5_001


def test_9_one_that_is_forced_is_never_dropped(clock: Clock) -> None:
    breakers = Breakers(BreakerConfig(), 20, clock=clock)
    breakers["a"].hear(news("forced_open", 1))
    for number in range(5_000):
        breakers[f"user-{number}"].call(int)
    assert breakers.statuses()["a"].state == "forced_open"


@pytest.mark.django_db(transaction=True)
def test_9_nor_is_it_on_the_server() -> None:
    fleet, now = Fleet(3), timezone.now().timestamp()

    def tell(name: str) -> None:
        with transaction.atomic():
            fleet.observe({name: BreakerResults("t", name, [Result(now, now, "success", 0.0)])}, now)

    tell("a")
    force_open_breaker("a", Order("olga", "an incident"))
    for number in range(20):
        tell(f"user-{number}")
    names = set(Breaker.objects.values_list("name", flat=True))
    assert "a" in names
    assert len(names) <= 3


# 10. Replacing the configuration forgets the state


@pytest.mark.django_db(transaction=True)
def test_10_an_edit_leaves_an_open_breaker_open() -> None:
    """With Sentinel an edit gives a new, closed breaker. tests/circuit_breaker/test_snapshots.py has every state."""
    store(intake(), *[operation(breaker="a", outcome="error") for _ in range(5)])
    before = Breaker.objects.get().machine
    configure(Scope.BREAKER, "a", {"max_failures": 9}, actor="olga", reason="a test")
    after = Breaker.objects.get()
    assert (after.state, after.config, after.machine) == ("open", {"max_failures": 9}, before)


def test_10_nor_does_one_close_a_processs_own_or_lose_its_probes(clock: Clock) -> None:
    guarded = local(clock, half_open_permits=2)
    fail(guarded, 3)
    clock.now += 1
    probe = guarded.admit()
    assert isinstance(probe, Permit)
    guarded.configure(guarded.config._replace(window_size=50))
    assert (state(guarded), guarded.status().permits_in_use) == ("half_open", 1)
    guarded.record(probe, "success")
    assert guarded.call(lambda: 42) == 42
    assert state(guarded) == "closed"


# 11. A failed push that is answered as success


@pytest.mark.django_db(transaction=True)
def test_11_an_act_that_could_not_be_handed_on_says_so(deaf_bus: None) -> None:
    """Sentinel answers success. What the operator reads is in tests/dashboard/test_breaker_acts.py."""
    store(intake(), operation(breaker="a"))
    assert not force_open_breaker("a", Order("olga", "an incident")).was_handed_on
    assert not reset_breaker("a", Order("olga", "over")).was_handed_on
    configured = configure(Scope.BREAKER, "a", {"max_failures": 9}, actor="olga", reason="a test")
    assert not configured.was_handed_on


def test_all_eleven_are_here() -> None:
    numbers = {
        name.split("_")[1] for name in globals() if name.startswith("test_") and name.split("_")[1].isdigit()
    }
    assert numbers == {str(number) for number in range(1, 12)}
