"""The one tree of errors. Each has a code for programs, data to act on, and a message that says what, where
and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


class FeatureMemoryError(Exception):
    """Root of all errors of ours; `data` holds what the message is made from."""

    code: ClassVar[str] = "feature_memory_error"

    def __init__(self, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self._data = data

    @property
    def data(self) -> dict[str, Any]:
        return self._data


class ConfigurationError(FeatureMemoryError):
    """A setting or an argument is wrong; `data["field"]` names it."""

    code = "configuration_error"


class ResourceConstraintError(FeatureMemoryError):
    """A resource is used up to its limit; `data` names resource, use and limit."""

    code = "resource_constraint"


class ValidationError(FeatureMemoryError):
    """Data that cannot be taken as it is. `errors` has a mapping (field, code, message) for each fault."""

    code = "validation_error"

    def __init__(self, message: str, /, errors: Iterable[Mapping[str, Any]] = (), **data: Any) -> None:
        super().__init__(message, **data)
        self.errors: list[dict[str, Any]] = [dict(error) for error in errors]
        self.data["errors"] = self.errors


class CircuitBreakerError(FeatureMemoryError):
    """A breaker refused the call, which never ran.

    `retry_after_ms` is the time until the breaker may admit a probe; None where only an operator or the
    probes under way decide. `detail` names the threshold when the host is overloaded.
    """

    code = "circuit_breaker"

    def __init__(
        self, breaker: str, state: str, retry_after_ms: float | None = None, detail: str = ""
    ) -> None:
        # The words are made when they are wanted: refusing is to be cheap.
        Exception.__init__(self, breaker, state, retry_after_ms, detail)
        self.breaker = breaker
        self.state = state
        self.retry_after_ms = retry_after_ms
        self.detail = detail

    def __str__(self) -> str:
        why = f" ({self.detail})" if self.detail else ""
        wait = "" if self.retry_after_ms is None else f"; try again in {self.retry_after_ms:,.0f} ms"
        return f"Circuit breaker {self.breaker!r} is {self.state}{why} and did not let the call run{wait}."

    @property
    def data(self) -> dict[str, Any]:
        return {
            "breaker": self.breaker,
            "state": self.state,
            "retry_after_ms": self.retry_after_ms,
            "detail": self.detail,
        }
