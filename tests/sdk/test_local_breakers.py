"""The breakers of one process: exact under threads and tasks, bounded in number, whole after a fork."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from threading import Barrier, Event, Lock, Thread

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.fleet_news import BreakerNews
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer


def fail(memory: FeatureMemory, name: str, times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(ZeroDivisionError), memory.operation(name):
            _ = 1 / 0


def in_threads(count: int, work: Callable[[], None]) -> None:
    begin = Barrier(count)

    def run() -> None:
        begin.wait()
        work()

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_sixteen_threads_count_exactly(make_memory: MakeMemory, peer: Peer) -> None:
    config = {
        "max_failures": 0,
        "window_size": 10_000,
        "minimum_calls": 10_000,
        "failure_rate_threshold": 100,
    }
    memory = make_memory(breaker=config)

    def work() -> None:
        for number in range(200):
            if number % 4:
                memory.handle_operation(lambda: None, OperationContext("a"))
            else:
                fail(memory, "a", 1)

    in_threads(16, work)
    status = memory.breakers()["a"]
    assert (status.calls, status.failures) == (3_200, 800)
    assert memory.flush(20)
    assert len(peer.operations) == 3_200


def test_of_sixteen_threads_only_the_permitted_probes_run_at_once(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"reset_timeout_ms": 1, "half_open_permits": 3, "max_failures": 1})
    fail(memory, "a", 1)
    most = running = refused = 0
    lock, everybody_asked = Lock(), Event()

    def probe() -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        assert everybody_asked.wait(20)
        with lock:
            running -= 1

    def work() -> None:
        nonlocal refused
        while memory.breakers()["a"].retry_after_ms:
            pass  # a millisecond
        try:
            memory.handle_operation(probe, OperationContext("a"))
        except CircuitBreakerError:
            with lock:
                refused += 1
                if refused == 13:
                    everybody_asked.set()

    in_threads(16, work)
    assert (most, refused) == (3, 13)
    assert memory.breakers()["a"].state == "closed"


def test_a_thousand_tasks_count_exactly(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"max_failures": 0, "window_size": 2_000, "minimum_calls": 2_000})

    async def main() -> None:
        go = asyncio.Event()

        async def work(number: int) -> None:
            await go.wait()
            if number % 10 == 0:
                raise ValueError

        calls = [
            asyncio.ensure_future(memory.handle_operation(lambda n=n: work(n), OperationContext("a")))
            for n in range(1_000)
        ]
        go.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, ValueError) for each in results) == 100

    asyncio.run(main())
    status = memory.breakers()["a"]
    assert (status.calls, status.failures) == (1_000, 100)


def test_sixteen_slow_calls_run_side_by_side(memory: FeatureMemory) -> None:
    together = Barrier(16)
    in_threads(16, lambda: memory.handle_operation(lambda: together.wait(20), OperationContext("a")))


def test_a_breaker_alone_guards_and_remembers_nothing(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"max_failures": 2})
    breaker = memory.breaker("gpu-0")
    assert breaker.call(lambda: 42) == 42
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)
    with pytest.raises(CircuitBreakerError):
        breaker.call(lambda: 42)
    assert memory.stats().buffered == memory.stats().sent == 0


def test_callers_may_name_their_breaker(memory: FeatureMemory, peer: Peer) -> None:
    with memory.operation("a", model="b", breaker="gpu-0"):
        pass
    assert memory.breakers().keys() == {"gpu-0"}
    assert memory.flush(10)
    assert [each["breaker"] for each in peer.operations.values()] == ["gpu-0"]


def test_the_number_of_breakers_is_bounded_and_those_in_use_or_open_stay() -> None:
    breakers = Breakers(BreakerConfig(max_failures=1), limit=10)
    with pytest.raises(ZeroDivisionError):
        breakers["open"].call(lambda: 1 / 0)
    for number in range(1_000):
        breakers[f"once-{number}"].call(int)
        breakers["often"].call(int)
    statuses = breakers.statuses()
    assert len(statuses) <= 10
    assert statuses["open"].state == "open"
    assert statuses["often"].calls == 100
    assert "once-999" in statuses


def test_a_child_starts_with_an_empty_buffer_and_a_name_of_its_own(
    make_memory: MakeMemory, peer: Peer
) -> None:
    memory = make_memory(flush_interval_s=3_600)
    fail(memory, "down")
    with memory.operation("parent"):
        child = os.fork()
        if child == 0:
            try:
                assert memory.stats().buffered == 0
                assert memory.breakers()["down"].state == "open"
                with memory.operation("child"):
                    pass
                os._exit(0 if memory.close(10) else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [each["operation_type"] for each in peer.operations.values()] == ["child"]
    assert memory.flush(10)
    kinds = sorted(each["operation_type"] for each in peer.operations.values())
    assert kinds == ["child", *["down"] * 5, "parent"]
    assert len({each["instance"] for each in peer.operations.values()}) == 2


def test_a_fork_while_other_threads_record_leaves_the_child_free_to_go_on(make_memory: MakeMemory) -> None:
    memory = make_memory()
    done = Event()

    def busy() -> None:
        while not done.is_set():
            memory.handle_operation(lambda: None, OperationContext("a"))

    threads = [Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                try:
                    memory.handle_operation(lambda: None, OperationContext("a"))
                    os._exit(0 if memory.flush(20) else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join(10)


def test_the_parents_probe_is_not_waited_for_in_the_child(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"max_failures": 1, "reset_timeout_ms": 1, "half_open_permits": 1})
    fail(memory, "a", 1)
    while memory.breakers()["a"].retry_after_ms:
        pass  # a millisecond
    with memory.operation("a"):
        child = os.fork()
        if child == 0:
            try:
                with memory.operation("a"):
                    pass
                os._exit(0 if memory.breakers()["a"].state == "closed" else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_breaker_that_is_held_stays_the_only_one_of_its_name_and_goes_on_hearing() -> None:
    breakers = Breakers(BreakerConfig(), limit=10)
    held = breakers["held"]
    for number in range(100):
        breakers[f"once-{number}"].call(int)
    breakers.hear(BreakerNews("held", "forced_open", "closed", "", 1, 1, None, None, is_snapshot=False))
    with pytest.raises(CircuitBreakerError):
        held.call(int)
    assert breakers.statuses()["held"].state == "forced_open"
    assert breakers["held"] is held
