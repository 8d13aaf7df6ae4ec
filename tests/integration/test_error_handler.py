"""What each error leads to, in the SDK and on the server."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client

from featurememory import (
    CircuitBreakerError,
    ConfigurationError,
    FeatureMemory,
    FeatureMemoryErrorHandler,
    OperationContext,
    ResourceConstraintError,
    ValidationError,
)
from featurememory.integration.server_errors import CHECK, ERRORS, ConstraintCheck
from tests.operations import bearer

EMBED = OperationContext("embed", model="m")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValidationError("wrong"), "validation"),
        (ConfigurationError("wrong", field="x"), "validation"),
        (CircuitBreakerError("b", "open"), "circuit_breaker"),
        (ResourceConstraintError("full"), "resource"),
        (RuntimeError("whatever"), "unknown"),
    ],
)
def test_each_error_has_its_count_its_notification_and_its_remedy(error: Exception, kind: Any) -> None:
    told, remedied, left = [], [], []
    handler = FeatureMemoryErrorHandler(
        lambda error, context: left.append((error, context)),
        notify=lambda kind, error, context: told.append((kind, error, context)),
        remedies={kind: remedied.append},
    )
    assert handler.handle(error, EMBED) == kind
    assert handler.counts[kind] == sum(handler.counts.values()) == 1
    assert told == [(kind, error, EMBED)]
    assert remedied == [error]
    assert left == ([(error, EMBED)] if kind == "unknown" else [])


def test_a_handler_that_fails_itself_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    handler = FeatureMemoryErrorHandler(fail, notify=fail, remedies={"unknown": fail})
    with caplog.at_level(logging.ERROR):
        handler.handle(RuntimeError("whatever"))
    assert len(caplog.records) == 3
    assert handler.counts["unknown"] == 1


def test_the_first_remedy_stays() -> None:
    done: list[str] = []
    handler = FeatureMemoryErrorHandler(remedies={"resource": lambda _: done.append("theirs")})
    handler.remedy("resource", lambda _: done.append("ours"))
    handler.handle(ResourceConstraintError("full"))
    assert done == ["theirs"]


def test_the_sdk_tells_of_the_caller_s_own_errors_once_and_passes_them_on() -> None:
    left: list[BaseException] = []
    memory = FeatureMemory("", error_handler=FeatureMemoryErrorHandler(lambda error, _: left.append(error)))
    error = RuntimeError("the model died")

    def die() -> None:
        raise error

    with pytest.raises(RuntimeError, match="the model died"):
        memory.handle_operation(lambda: memory.handle_operation(die, EMBED), OperationContext("outer"))
    assert left == [error, error], "the inner operation ended with it, and the outer one"
    assert memory.stats().errors == {"unknown": 2}


def test_a_breaker_s_refusal_is_counted_where_it_happened() -> None:
    memory = FeatureMemory("", breaker={"max_failures": 1, "reset_timeout_ms": 60_000})
    with pytest.raises(ZeroDivisionError):
        memory.handle_operation(lambda: 1 / 0, EMBED)
    with pytest.raises(CircuitBreakerError):
        memory.handle_operation(
            lambda: memory.handle_operation(lambda: 1, EMBED), OperationContext("outer", breaker="other")
        )
    assert memory.stats().errors == {"circuit_breaker": 1, "unknown": 1}


def test_the_server_counts_what_it_refuses(db: None, client: Client, api_key: str) -> None:
    before = ERRORS.counts
    answer = client.put("/api/v1/constraints", {"constraints": {"max_joy": 1}, "reason": "r"}, "application/json",
                        headers=bearer(api_key))  # fmt: skip
    assert answer.status_code in (403, 422)
    client.post("/api/v1/patterns/recognize", {"space": "s"}, "application/json", headers=bearer(api_key))
    after = ERRORS.counts
    assert after["validation"] > before["validation"]
    assert after["unknown"] == before["unknown"]


def test_a_lack_of_room_has_the_constraints_checked_but_not_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from featurememory.celery import app

    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, **_: sent.append(name))
    check = ConstraintCheck()
    for _ in range(5):
        check.ask(ResourceConstraintError("full"))
    assert sent == ["featurememory.enforce_constraints"]
    assert isinstance(CHECK, ConstraintCheck)
