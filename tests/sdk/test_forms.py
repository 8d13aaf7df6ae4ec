"""The ways to guard an operation: each runs the call, returns what it returns, and records how it ended."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from featurememory import CircuitBreakerError, FeatureMemory, OperationContext
from featurememory.sdk.outcomes import described
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer

CONTEXT = OperationContext("text_to_audio", model="audioldm", parameters={"steps": 50})


def recorded(memory: FeatureMemory, peer: Peer) -> list[dict[str, Any]]:
    assert memory.flush(10)
    return list(peer.operations.values())


def test_a_call_returns_what_it_returns(memory: FeatureMemory, peer: Peer) -> None:
    assert memory.handle_operation(lambda: 42, CONTEXT) == 42
    (operation,) = recorded(memory, peer)
    assert operation["outcome"] == "success"
    assert (operation["operation_type"], operation["model"]) == ("text_to_audio", "audioldm")
    assert operation["parameters"] == {"steps": 50}


class BrokenError(Exception):
    pass


def test_the_callers_exception_comes_back_as_it_is(memory: FeatureMemory, peer: Peer) -> None:
    thrown = BrokenError("no memory left")

    def fail() -> None:
        raise thrown

    with pytest.raises(BrokenError) as caught:
        memory.handle_operation(fail, CONTEXT)
    assert caught.value is thrown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail"
    (operation,) = recorded(memory, peer)
    assert (operation["outcome"], operation["error_type"]) == ("error", "BrokenError")
    assert operation["error_message"] == "no memory left"


@pytest.mark.parametrize(
    ("thrown", "outcome"),
    [
        (ValueError(), "error"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (CircuitBreakerError("inner", "open"), "rejected"),
    ],
)
def test_each_kind_of_end_has_its_outcome(
    thrown: BaseException, outcome: str, memory: FeatureMemory, peer: Peer
) -> None:
    with pytest.raises(type(thrown)), memory.operation("probe"):
        raise thrown
    (operation,) = recorded(memory, peer)
    assert operation["outcome"] == outcome
    assert memory.breakers()["probe"].consecutive_failures == (outcome in ("error", "timeout"))


def test_an_exception_that_cannot_be_described_is_still_the_callers(
    memory: FeatureMemory, peer: Peer
) -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(UnspeakableError), memory.operation("probe"):
        raise UnspeakableError
    assert recorded(memory, peer)[0]["error_type"] == "UnspeakableError"


async def answer_42() -> int:
    await asyncio.sleep(0)
    return 42


class Future:
    """An awaitable that is neither function nor coroutine."""

    def __await__(self) -> Iterator[Any]:
        return answer_42().__await__()


@pytest.mark.parametrize(
    "operation",
    [answer_42, lambda: answer_42() or None, partial(answer_42), Future, Future()],
    ids=["coroutine function", "lambda", "partial", "function that gives an awaitable", "awaitable"],
)
def test_an_asynchronous_call_gives_an_awaitable(
    operation: Callable[[], Awaitable[int]] | Awaitable[int], memory: FeatureMemory, peer: Peer
) -> None:
    async def main() -> int:
        return await memory.handle_operation(operation, CONTEXT)  # type: ignore[no-any-return, call-overload]

    assert asyncio.run(main()) == 42
    assert [each["outcome"] for each in recorded(memory, peer)] == ["success"]


def test_a_cancelled_task_is_no_failure(memory: FeatureMemory, peer: Peer) -> None:
    async def main() -> None:
        running = asyncio.Event()

        async def forever() -> None:
            running.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(memory.handle_operation(forever, CONTEXT))
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert recorded(memory, peer)[0]["outcome"] == "cancelled"
    assert memory.breakers()["text_to_audio:audioldm"].calls == 0


def test_a_block_can_say_more_about_its_operation(memory: FeatureMemory, peer: Peer) -> None:
    with memory.operation("embed", features=[1, 2.5], space="wav", parameters={"a": 1}) as operation:
        operation.parameters["b"] = 2
        operation.attributes = {"clip": "x"}
        operation.score(0.75)
    (sent,) = recorded(memory, peer)
    assert sent["id"] == operation.id
    assert (sent["features"], sent["space"], sent["score"]) == ([1, 2.5], "wav", 0.75)
    assert (sent["parameters"], sent["attributes"]) == ({"a": 1, "b": 2}, {"clip": "x"})


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), None, "good"])
def test_a_scorer_that_fails_does_not_fail_the_operation(
    score: Any, memory: FeatureMemory, peer: Peer
) -> None:
    with memory.operation("embed") as operation:
        operation.score(score)
    assert "score" not in recorded(memory, peer)[0]


def test_an_asynchronous_block_works_the_same(memory: FeatureMemory, peer: Peer) -> None:
    async def main() -> str:
        async with memory.operation("embed") as operation:
            await asyncio.sleep(0)
            return operation.id

    identity = asyncio.run(main())
    assert [each["id"] for each in recorded(memory, peer)] == [identity]


def test_changing_ones_parameters_later_does_not_change_what_was_recorded(
    memory: FeatureMemory, peer: Peer
) -> None:
    parameters = {"steps": 1}
    for steps in range(3):
        parameters["steps"] = steps
        memory.handle_operation(lambda: None, OperationContext("a", parameters=parameters))
    assert sorted(each["parameters"]["steps"] for each in recorded(memory, peer)) == [0, 1, 2]


def open_breaker(memory: FeatureMemory, name: str, times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(ZeroDivisionError), memory.operation(name):
            _ = 1 / 0
    assert memory.breakers()[name].state == "open"


def test_a_refused_call_never_runs_and_is_recorded_as_rejected(memory: FeatureMemory, peer: Peer) -> None:
    open_breaker(memory, "probe")
    ran = []
    with pytest.raises(CircuitBreakerError) as caught:
        memory.handle_operation(lambda: ran.append(1), OperationContext("probe"))
    assert ran == []
    assert (caught.value.breaker, caught.value.state) == ("probe", "open")
    assert caught.value.retry_after_ms is not None
    outcomes = [each["outcome"] for each in recorded(memory, peer)]
    assert outcomes == ["error"] * 5 + ["rejected"]


def test_a_refused_coroutine_is_closed_and_leaves_no_warning(
    memory: FeatureMemory, recwarn: pytest.WarningsRecorder
) -> None:
    open_breaker(memory, "probe")

    async def main() -> None:
        with pytest.raises(CircuitBreakerError):
            await memory.handle_operation(answer_42(), OperationContext("probe"))

    asyncio.run(main())
    assert not recwarn.list


def test_a_guarded_function_keeps_its_name_and_takes_its_arguments(memory: FeatureMemory, peer: Peer) -> None:
    @memory.guard("transcription", model="whisper")
    def transcribe(clip: str, *, language: str = "en") -> str:
        """Words."""
        return f"{clip} in {language}"

    assert transcribe("a", language="de") == "a in de"
    assert (transcribe.__name__, transcribe.__doc__) == ("transcribe", "Words.")
    assert recorded(memory, peer)[0]["model"] == "whisper"


def test_the_fallback_answers_for_the_breaker_and_for_nothing_else(memory: FeatureMemory) -> None:
    @memory.guard("probe", fallback=lambda divisor: f"cached {divisor}")
    def divide(divisor: int) -> Any:
        return 1 / divisor

    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            divide(0)
    assert divide(2) == "cached 2"


def test_coroutine_functions_have_fallbacks_of_both_kinds(memory: FeatureMemory) -> None:
    open_breaker(memory, "probe")

    async def cached() -> str:
        return "awaited"

    async def main() -> list[str]:
        first = memory.guard("probe", fallback=cached)(answer_42)
        second = memory.guard("probe", fallback=lambda: "plain")(answer_42)
        return [await first(), await second()]  # type: ignore[list-item]

    assert asyncio.run(main()) == ["awaited", "plain"]


def test_a_generator_is_one_operation_from_first_to_last_item(memory: FeatureMemory, peer: Peer) -> None:
    @memory.guard("stream")
    def tokens() -> Iterator[int]:
        got = yield 1
        yield got

    generator = tokens()
    assert memory.breakers() == {}
    assert next(generator) == 1
    assert generator.send(7) == 7  # type: ignore[attr-defined]
    assert next(generator, "end") == "end"
    assert [each["outcome"] for each in recorded(memory, peer)] == ["success"]


def test_a_consumer_that_stops_early_cancels(memory: FeatureMemory, peer: Peer) -> None:
    closed = []

    @memory.guard("stream", fallback=lambda: iter([0]))
    def tokens() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(True)

    generator = tokens()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert closed
    assert [each["outcome"] for each in recorded(memory, peer)] == ["cancelled"]
    open_breaker(memory, "stream")
    assert list(tokens()) == [0]


def test_an_asynchronous_generator_too(memory: FeatureMemory, peer: Peer) -> None:
    closed = []

    @memory.guard("stream")
    async def tokens(fail: bool) -> AsyncIterator[int]:
        try:
            yield 1
            if fail:
                raise BrokenError
            yield 2
        finally:
            closed.append(True)

    async def main() -> None:
        assert [item async for item in tokens(False)] == [1, 2]
        with pytest.raises(BrokenError):
            [item async for item in tokens(True)]
        generator = tokens(False)
        assert await anext(generator) == 1
        await generator.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert [each["outcome"] for each in recorded(memory, peer)] == ["success", "error", "cancelled"]
    assert len(closed) == 3


class Agreeable:
    """Answers to every name, as proxies and clients made on the fly do."""

    def __getattr__(self, name: str) -> Agreeable:
        return self

    def __call__(self) -> int:
        return 42


@pytest.mark.parametrize("function", [Agreeable(), Mock(return_value=42), partial(Mock(return_value=42))])
def test_objects_that_answer_to_every_name_are_called_like_others(
    function: Callable[[], int], memory: FeatureMemory
) -> None:
    assert memory.handle_operation(function, CONTEXT) == 42


def test_an_object_with_an_asynchronous_call_is_a_coroutine_function(memory: FeatureMemory) -> None:
    class Client(Agreeable):
        async def __call__(self) -> int:  # type: ignore[override]
            return await answer_42()

    for function in (Client(), AsyncMock(return_value=42)):
        assert asyncio.run(memory.handle_operation(function, CONTEXT)) == 42


def probing(make_memory: MakeMemory) -> FeatureMemory:
    """A memory whose breaker `probe` lets a single call through."""
    memory = make_memory(breaker={"max_failures": 1, "reset_timeout_ms": 1, "half_open_permits": 1})
    open_breaker(memory, "probe", times=1)
    while memory.breakers()["probe"].retry_after_ms:
        pass  # a millisecond
    return memory


def test_a_call_whose_task_is_cancelled_before_it_began_gives_its_permit_back(
    make_memory: MakeMemory, peer: Peer, recwarn: pytest.WarningsRecorder
) -> None:
    memory = probing(make_memory)

    async def main() -> int:
        for _ in range(2):
            task = asyncio.ensure_future(
                memory.handle_operation(lambda: answer_42(), OperationContext("probe"))
            )
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        memory.handle_operation(lambda: answer_42(), OperationContext("probe")).close()
        return await memory.handle_operation(lambda: answer_42(), OperationContext("probe"))

    assert asyncio.run(main()) == 42
    outcomes = [each["outcome"] for each in recorded(memory, peer)]
    assert outcomes == ["error", "cancelled", "cancelled", "cancelled", "success"]
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_call_that_nobody_awaits_gives_its_permit_back(make_memory: MakeMemory, peer: Peer) -> None:
    memory = probing(make_memory)
    memory.handle_operation(lambda: answer_42(), OperationContext("probe"))
    assert memory.handle_operation(lambda: 42, OperationContext("probe")) == 42
    assert [each["outcome"] for each in recorded(memory, peer)] == ["error", "cancelled", "success"]


def test_an_asynchronous_generator_called_wrongly_gives_its_permit_back(
    make_memory: MakeMemory, peer: Peer
) -> None:
    memory = make_memory(breaker={"max_failures": 0, "half_open_permits": 1})

    @memory.guard("stream")
    async def tokens(count: int) -> AsyncIterator[int]:
        yield count

    async def main() -> None:
        with pytest.raises(TypeError):
            [item async for item in tokens()]  # type: ignore[call-arg]

    asyncio.run(main())
    assert [each["outcome"] for each in recorded(memory, peer)] == ["error"]


def test_what_is_refused_is_left_open_where_it_is_more_than_a_coroutine(memory: FeatureMemory) -> None:
    class Connection(Future):
        closed = False

        def close(self) -> None:
            self.closed = True

    open_breaker(memory, "probe")
    connection = Connection()

    async def main() -> None:
        with pytest.raises(CircuitBreakerError):
            await memory.handle_operation(connection, OperationContext("probe"))

    asyncio.run(main())
    assert not connection.closed


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("score", [10**400, 10**5_000, Unspeakable()], ids=["long", "longer", "unspeakable"])
def test_a_score_that_cannot_even_be_shown_does_not_fail_the_operation(
    score: Any, memory: FeatureMemory, peer: Peer
) -> None:
    with memory.operation("embed") as operation:
        operation.score(score)
    assert "score" not in recorded(memory, peer)[0]


def test_a_long_message_waits_no_longer_than_it_is_sent() -> None:
    assert len(described(ValueError("x" * 1_000_000))[1]) == 2_000
