"""The public surface as users type it. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Literal, assert_type

from featurememory import (
    CircuitBreakerError,
    ConfigurationError,
    FeatureMemory,
    FeatureMemoryError,
    OperationContext,
    ResourceConstraintError,
    ValidationError,
    __version__,
)
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus, Transition
from featurememory.sdk import GuardedOperation, Stats

memory = FeatureMemory("http://127.0.0.1:8000", api_key="fm_...", breaker={"max_failures": 3})
memory = FeatureMemory(breaker=BreakerConfig(max_failures=3), buffer_size=100, validate=False)
assert_type(FeatureMemory.from_env(), FeatureMemory)
context = OperationContext("text_to_audio", model="audioldm", parameters={"steps": 50}, features=[0.5, 1])


async def generate() -> bytes:
    return b""


assert_type(memory.handle_operation(lambda: 42, context), int)
later = assert_type(memory.handle_operation(generate, context), Coroutine[Any, Any, bytes])
later = assert_type(memory.handle_operation(generate(), context), Coroutine[Any, Any, bytes])


with memory.operation("text_to_audio", model="audioldm", features=(1, 2), space="x") as operation:
    assert_type(operation, GuardedOperation)
    assert_type(operation.id, str)
    operation.attributes["clip"] = 7
    operation.parameters = {"steps": 50}
    operation.score(0.8)
    operation.fail("silence")


async def main() -> bytes:
    async with memory.operation("text_to_audio") as operation:
        assert_type(operation, GuardedOperation)
    return await memory.handle_operation(generate, context)


def cached(clip: str) -> int:
    return len(clip)


@memory.guard("transcription", model="whisper", fallback=cached)
def transcribe(clip: str) -> int:
    return len(clip)


@memory.guard("transcription")
async def transcribe_later(clip: str, *, language: str = "en") -> list[str]:
    return [clip, language]


@memory.guard(
    "transcription", ignore=ValueError, record=(OSError, TimeoutError), failure_if=lambda text: not text
)
def transcribe_strictly(clip: str) -> str:
    return clip


def told(name: str, transition: Transition) -> None:
    assert_type(transition.cause == "reset", bool)


memory.listen(told)
memory = FeatureMemory(ignore=lambda error: "quota" in str(error))
context = OperationContext("text_to_audio", record=OSError)


@memory.guard("stream")
def tokens(prompt: str) -> Iterator[str]:
    yield prompt


@memory.guard("stream")
async def tokens_later(prompt: str) -> AsyncIterator[str]:
    yield prompt


assert_type(transcribe("clip"), int)
words = assert_type(transcribe_later("clip", language="de"), Coroutine[Any, Any, list[str]])
assert_type(tokens("a"), Iterator[str])
assert_type(tokens_later("a"), AsyncIterator[str])
transcribe(7)  # type: ignore[arg-type]

try:
    assert_type(memory.breaker("gpu-0").call(lambda: 42), int)
except CircuitBreakerError as refused:
    assert_type(refused.breaker, str)
    assert_type(refused.retry_after_ms, float | None)
except (ConfigurationError, ResourceConstraintError, ValidationError) as error:
    root: FeatureMemoryError = error
    assert_type(root.code, str)
    assert_type(root.data, dict[str, Any])

assert_type(memory.breakers(), dict[str, BreakerStatus])
assert_type(memory.stats(), Stats)
assert_type(memory.stats().dropped, int)
assert_type(memory.stats().breakers, Literal["fleet", "local"])
assert_type(memory.following, bool)
assert_type(memory.flush(timeout_s=1), bool)
assert_type(memory.close(), bool)
assert_type(__version__, str)
