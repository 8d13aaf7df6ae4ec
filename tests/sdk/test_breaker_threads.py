"""One breaker under sixteen threads and a thousand tasks: every result is counted once, no more probes run than may,
and none is lost, however its call ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from threading import Barrier, Event, Lock, Thread
from time import monotonic
from typing import Any

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Permit, Refusal
from featurememory.sdk.breakers import Breakers, LocalBreaker
from featurememory.sdk.fleet_news import BreakerNews
from featurememory.sdk.permits import Grant

A = OperationContext("a")
THREADS = 16
COUNTING = {"max_failures": 0, "window_size": 10_000, "minimum_calls": 10_000, "failure_rate_threshold": 100}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def local(clock: Callable[[], float], **settings: Any) -> LocalBreaker:
    return Breakers(BreakerConfig.from_mapping({"jitter": 0} | settings), 10, clock=clock)["a"]


def alone(**settings: Any) -> FeatureMemory:
    """Its breakers decide here; nothing is sent."""
    return FeatureMemory("", breaker={"jitter": 0, "reset_timeout_ms": 1, "max_failures": 1} | settings)


def in_threads(work: Callable[[int], None]) -> None:
    begin, wrong = Barrier(THREADS), list[BaseException]()

    def run(number: int) -> None:
        begin.wait(30)
        try:
            work(number)
        except BaseException as error:
            wrong.append(error)

    threads = [Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []


class Running:
    """How many are inside at once, at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def opened(guarded: LocalBreaker) -> None:
    while not isinstance(permit := guarded.admit(), Refusal):
        guarded.record(permit, "failure")


# Counts


@pytest.mark.parametrize("relaxed", [False, True])
def test_sixteen_threads_count_successes_and_failures_exactly(relaxed: bool, clock: Clock) -> None:
    """`relaxed`: successes are counted without the lock, between failures that take it, and while others read."""
    guarded = local(clock, **(COUNTING | {"minimum_calls": 1 if relaxed else 10_000}))
    guarded.call(int)

    def work(thread: int) -> None:
        for number in range(500):
            if number % 5 == thread % 5:
                with suppress(ZeroDivisionError):
                    guarded.call(lambda: 1 / 0)
            else:
                guarded.call(int)
            if number % 50 == 0:
                guarded.status()

    in_threads(work)
    status = guarded.status()
    assert (status.calls, status.failures) == (THREADS * 500 + 1, THREADS * 100)


def test_what_is_ignored_is_counted_by_nobody(clock: Clock) -> None:
    guarded = local(clock, **COUNTING)

    def work(thread: int) -> None:
        for _ in range(200):
            permit = guarded.admit()
            assert isinstance(permit, Permit)
            guarded.record(permit, ("success", "failure", "ignored")[thread % 3])

    in_threads(work)
    assert guarded.counted() == (6 * 200 + 5 * 200, 5 * 200)


def test_a_thousand_tasks_count_exactly_however_they_end() -> None:
    memory = alone(**COUNTING, reset_timeout_ms=1_000)

    async def main() -> None:
        go = asyncio.Event()

        async def work(number: int) -> None:
            await go.wait()
            if number % 10 == 1:
                raise ValueError

        tasks = [asyncio.ensure_future(memory.handle_operation(lambda n=n: work(n), A)) for n in range(1_000)]
        await asyncio.sleep(0)
        for task in tasks[::10]:
            task.cancel()
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in results] == [
            number % 10 == 0 for number in range(1_000)
        ]

    asyncio.run(main())
    status = memory.breakers()["a"]
    assert (status.calls, status.failures) == (900, 100)


def test_it_opens_once_however_many_fail_at_once(clock: Clock) -> None:
    guarded = local(clock, max_failures=3)
    heard: list[str] = []
    guarded._breakers.listen(lambda _, transition: heard.append(transition.to_state))
    begun = [guarded.admit() for _ in range(THREADS)]

    def work(thread: int) -> None:
        permit = begun[thread]
        assert isinstance(permit, Permit)
        guarded.record(permit, "failure")

    in_threads(work)
    assert heard == ["open"]
    assert guarded.status().failures == 3, "what came later belongs to no epoch that counts"


# Probes


def test_many_rounds_of_probes_never_let_more_run_than_may(clock: Clock) -> None:
    guarded = local(clock, max_failures=1, half_open_permits=3, max_reset_timeout_ms=1_000)
    running, ran = Running(), list[int]()

    def probe() -> None:
        with running:
            ran.append(1)
            assert everybody_asked.wait(30)

    for _ in range(30):
        opened(guarded)
        clock.now += 1
        everybody_asked, refused, lock = Event(), list[int](), Lock()

        def work(
            _: int, refused: list[int] = refused, lock: Any = lock, everybody_asked: Event = everybody_asked
        ) -> None:
            try:
                guarded.call(probe)
            except CircuitBreakerError:
                with lock:
                    refused.append(1)
                    if len(refused) == THREADS - 3:
                        everybody_asked.set()

        in_threads(work)
        assert guarded.status().state == "closed"
    assert (running.most, len(ran)) == (3, 90)


def test_of_a_thousand_tasks_only_the_permitted_probes_run() -> None:
    memory = alone(half_open_permits=3, reset_timeout_ms=1)
    with pytest.raises(ZeroDivisionError), memory.operation("a"):
        _ = 1 / 0
    while memory.breakers()["a"].retry_after_ms:
        pass  # a millisecond
    running = Running()

    async def main() -> int:
        go = asyncio.Event()

        async def probe() -> None:
            with running:
                await go.wait()

        tasks = [asyncio.ensure_future(memory.handle_operation(probe, A)) for _ in range(1_000)]
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(isinstance(each, CircuitBreakerError) for each in results)

    assert asyncio.run(main()) == 997
    assert running.most == 3
    assert memory.breakers()["a"].state == "closed"


class OneFleet:
    """The fleet's permits for processes that share this memory: so many, each once."""

    def __init__(self, permits: int) -> None:
        self._left = list(range(1, permits + 1))
        self._lock = Lock()

    def ask(self, breaker: str) -> Grant | None:
        with self._lock:
            if self._left:
                return Grant(True, "half_open", None, f"2.{self._left.pop(0)}")
        return Grant(False, "half_open", 60_000.0, "")


def test_of_sixteen_processes_no_more_probe_than_the_fleet_permits(clock: Clock) -> None:
    fleet, got, lock = OneFleet(3), list[str](), Lock()
    processes = [local(clock, max_failures=1) for _ in range(THREADS)]
    for each in processes:
        opened(each)
        each._breakers.fleet = fleet
    clock.now += 1

    def work(thread: int) -> None:
        for _ in range(20):
            answer = processes[thread].admit()
            if isinstance(answer, Permit):
                with lock:
                    got.append(answer.token)

    in_threads(work)
    assert sorted(got) == ["2.1", "2.2", "2.3"]


def test_a_reset_heard_in_the_midst_of_calls_leaves_no_result_of_before(clock: Clock) -> None:
    guarded = local(clock, **COUNTING)
    begun = [guarded.admit() for _ in range(THREADS)]
    before, after = Barrier(THREADS), Barrier(THREADS)

    def work(thread: int) -> None:
        guarded.call(int)
        before.wait(30)
        if thread == 0:
            guarded.hear(BreakerNews("a", "closed", "closed", "reset", 1, 1, None, None, is_snapshot=False))
        after.wait(30)
        permit = begun[thread]
        assert isinstance(permit, Permit)
        guarded.record(permit, "failure")
        guarded.call(int)

    in_threads(work)
    assert guarded.counted() == (THREADS, 0)


# No permit is lost, however a probe's call ends


def half_open(**settings: Any) -> FeatureMemory:
    """A memory whose breaker `a` lets one probe go."""
    memory = alone(half_open_permits=1, **settings)
    with pytest.raises(ZeroDivisionError), memory.operation("a"):
        _ = 1 / 0
    while memory.breakers()["a"].retry_after_ms:
        pass  # a millisecond
    return memory


def is_free(memory: FeatureMemory) -> None:
    """The probe's permit is back: half open with nobody out, and the next call goes and closes it."""
    status = memory.breakers()["a"]
    assert (status.state, status.permits_in_use) == ("half_open", 0)
    assert memory.handle_operation(lambda: 42, A) == 42
    assert memory.breakers()["a"].state == "closed"


class Stop(BaseException):
    """What ends more than a call."""


def test_an_exception_that_ends_more_than_the_call_gives_it_back() -> None:
    memory = half_open()
    for error in (Stop, KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(error), memory.operation("a"):
            raise error
    is_free(memory)


def test_an_exception_of_the_callers_opens_it_again_and_the_next_round_is_whole() -> None:
    memory = half_open()
    with pytest.raises(ValueError, match="no"), memory.operation("a"):
        raise ValueError("no")
    assert memory.breakers()["a"].state == "open"
    while memory.breakers()["a"].retry_after_ms:
        pass  # two milliseconds
    with memory.operation("a"):
        assert memory.breakers()["a"].permits_in_use == 1
    assert memory.breakers()["a"].state == "closed"


def test_an_ignored_exception_gives_it_back() -> None:
    memory = half_open()
    with pytest.raises(KeyError), memory.operation("a", ignore=KeyError):
        raise KeyError
    is_free(memory)


def test_a_generator_that_is_left_gives_it_back() -> None:
    memory = half_open()

    @memory.guard("a")
    def numbers() -> Iterator[int]:
        yield 1
        yield 2

    items = numbers()
    assert next(items) == 1
    assert memory.breakers()["a"].permits_in_use == 1
    items.close()  # type: ignore[attr-defined]
    is_free(memory)


def test_a_generator_that_nobody_holds_any_more_gives_it_back() -> None:
    memory = half_open()

    @memory.guard("a")
    def numbers() -> Iterator[int]:
        yield 1
        yield 2

    assert next(numbers()) == 1
    is_free(memory)


def test_an_asynchronous_generator_that_is_left_gives_it_back() -> None:
    memory = half_open()

    @memory.guard("a")
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> None:
        items = numbers()
        assert await anext(items) == 1
        await items.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    is_free(memory)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_task_that_is_cancelled_gives_it_back_wherever_it_stands(steps: int) -> None:
    memory = half_open()

    async def main() -> None:
        async def forever() -> None:
            await asyncio.Event().wait()

        task = asyncio.ensure_future(memory.handle_operation(forever, A))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    if steps == 0:
        assert memory.breakers()["a"].state == "open", "it never began"
        assert memory.handle_operation(lambda: 42, A) == 42
    else:
        is_free(memory)


def test_a_coroutine_that_is_closed_gives_it_back() -> None:
    memory = half_open()

    @memory.guard("a")
    async def work() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        coroutine = work()
        coroutine.send(None)  # type: ignore[attr-defined]
        assert memory.breakers()["a"].permits_in_use == 1
        coroutine.close()  # type: ignore[attr-defined]

    asyncio.run(main())
    is_free(memory)


def test_a_thousand_tasks_cancelled_as_they_probe_leak_nothing() -> None:
    memory = half_open()

    async def main() -> None:
        for _ in range(1_000):
            task = asyncio.ensure_future(memory.handle_operation(lambda: asyncio.sleep(3_600), A))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    is_free(memory)


# The plan's own test


def test_three_failures_open_it_and_after_a_second_a_probe_closes_it(clock: Clock) -> None:
    guarded = local(clock, max_failures=3, reset_timeout_ms=1_000, half_open_permits=1)
    for expected in ("closed", "closed", "open"):
        with pytest.raises(ZeroDivisionError):
            guarded.call(lambda: 1 / 0)
        assert guarded.state == expected
    clock.now += 0.999
    with pytest.raises(CircuitBreakerError):
        guarded.call(lambda: 42)
    clock.now += 0.001
    assert guarded.call(lambda: 42) == 42
    assert guarded.state == "closed"


def test_the_same_by_the_real_clock() -> None:
    memory = FeatureMemory("", breaker={"max_failures": 3, "reset_timeout_ms": 1_000, "half_open_permits": 1})
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            memory.handle_operation(lambda: 1 / 0, A)
    began = monotonic()
    with pytest.raises(CircuitBreakerError) as refused:
        memory.handle_operation(lambda: 42, A)
    assert refused.value.retry_after_ms is not None
    Event().wait(refused.value.retry_after_ms / 1_000)
    assert memory.handle_operation(lambda: 42, A) == 42, "permitted when it was said"
    assert refused.value.retry_after_ms <= 1_000
    assert monotonic() - began >= 0.85, "a tenth of jitter"
    assert memory.breakers()["a"].state == "closed"
