"""The caller says which errors and results are failures to a breaker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from featurememory import FeatureMemory, OperationContext
from featurememory.sdk.judgement import Judgement
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer


class Unsuitable(ValueError):
    """The input's fault, not the model's."""


def failed(memory: FeatureMemory, context: OperationContext, error: type[Exception], times: int = 1) -> None:
    def work() -> None:
        raise error

    for _ in range(times):
        with pytest.raises(error):
            memory.handle_operation(work, context)


def failures(memory: FeatureMemory, name: str = "a") -> int:
    return memory.breakers()[name].consecutive_failures


def test_ignored_errors_leave_the_breaker_alone_and_are_remembered_as_errors(
    make_memory: MakeMemory, peer: Peer
) -> None:
    memory = make_memory(ignore=Unsuitable)
    failed(memory, OperationContext("a"), Unsuitable, times=20)
    assert memory.breakers()["a"].state == "closed"
    assert memory.breakers()["a"].calls == 0
    assert memory.flush()
    assert {(each["outcome"], each["breaker_result"]) for each in peer.operations.values()} == {
        ("error", "ignored")
    }


def test_where_some_are_recorded_the_others_are_ignored(memory: FeatureMemory) -> None:
    context = OperationContext("a", record=(OSError, TimeoutError))
    failed(memory, context, ValueError)
    assert failures(memory) == 0
    failed(memory, context, ConnectionError)
    failed(memory, context, TimeoutError)
    assert failures(memory) == 2


def test_a_predicate_may_decide(memory: FeatureMemory) -> None:
    context = OperationContext("a", ignore=lambda error: "quota" in str(error))

    def work(message: str) -> None:
        raise RuntimeError(message)

    for message in ("quota used up", "out of memory"):
        with pytest.raises(RuntimeError):
            memory.handle_operation(lambda message=message: work(message), context)
    assert failures(memory) == 1


def test_a_predicate_that_fails_decides_nothing(memory: FeatureMemory) -> None:
    context = OperationContext("a", ignore=lambda error: 1 / 0, failure_if=lambda result: 1 / 0)
    failed(memory, context, ValueError)
    assert failures(memory) == 1
    assert memory.handle_operation(lambda: 42, context) == 42
    assert failures(memory) == 0


def test_what_an_operation_says_goes_over_what_the_memory_says(make_memory: MakeMemory) -> None:
    memory = make_memory(ignore=ValueError, failure_if=lambda result: result is None)
    failed(memory, OperationContext("a", ignore=OSError), ValueError)
    assert failures(memory) == 1
    memory.handle_operation(lambda: None, OperationContext("a", ignore=OSError))
    assert failures(memory) == 2


def test_cancellation_stays_ignored_whatever_is_recorded(memory: FeatureMemory) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.handle_operation(work, OperationContext("a", record=BaseException))
    assert memory.breakers()["a"].calls == 0


def silence(result: Any) -> bool:
    return not result


def test_a_result_may_be_a_failure_in_every_form(memory: FeatureMemory, peer: Peer) -> None:
    context = OperationContext("a", failure_if=silence)

    async def quiet() -> str:
        return ""

    assert memory.handle_operation(str, context) == ""
    assert asyncio.run(memory.handle_operation(quiet, context)) == ""
    assert asyncio.run(memory.handle_operation(quiet(), context)) == ""
    assert memory.guard("a", failure_if=silence)(str)() == ""
    assert failures(memory) == 4
    assert asyncio.run(memory.guard("a", failure_if=silence)(quiet)()) == ""
    assert memory.breakers()["a"].state == "open"
    assert memory.flush()
    told = {(each["outcome"], each["error_type"]) for each in peer.operations.values()}
    assert told == {("error", "judged_failure")}


def test_a_block_may_say_itself_that_it_failed(memory: FeatureMemory, peer: Peer) -> None:
    with memory.operation("a") as operation:
        operation.fail("silence of 30 s")
    assert failures(memory) == 1
    assert memory.flush()
    (told,) = peer.operations.values()
    assert (told["outcome"], told["error_message"]) == ("error", "silence of 30 s")


@pytest.mark.parametrize(
    ("judgement", "error", "kind"),
    [
        (Judgement(), ValueError(), "failure"),
        (Judgement(ignore=ValueError), UnicodeError(), "ignored"),
        (Judgement(record=()), ValueError(), "ignored"),
        (Judgement(ignore=ValueError, record=ValueError), ValueError(), "ignored"),
    ],
)
def test_the_rules(judgement: Judgement, error: Exception, kind: str) -> None:
    assert judgement.of_error(error, "failure") == kind
    assert judgement.of_error(error, "ignored") == "ignored"
