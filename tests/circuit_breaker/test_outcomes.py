"""What an outcome means to a breaker, and what breakers are called."""

from __future__ import annotations

import pickle

import pytest

from featurememory import CircuitBreakerError
from featurememory.circuit_breaker import default_breaker_name, kind_of


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("success", "success"),
        ("error", "failure"),
        ("timeout", "failure"),
        ("cancelled", "ignored"),
        ("rejected", "ignored"),
    ],
)
def test_only_failures_count_as_failures(outcome: str, kind: str) -> None:
    assert kind_of(outcome) == kind


def test_a_breaker_is_called_by_operation_type_and_model() -> None:
    assert default_breaker_name("transcription", "whisper") == "transcription:whisper"
    assert default_breaker_name("transcription", "") == "transcription"


def test_a_refusal_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(CircuitBreakerError("transcription", "open", 12.5)))  # noqa: S301
    assert (error.breaker, error.state, error.retry_after_ms) == ("transcription", "open", 12.5)
    assert (
        str(error)
        == "Circuit breaker 'transcription' is open and did not let the call run; try again in 12 ms."
    )
