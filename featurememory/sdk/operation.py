"""One guarded operation, from leave to record."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, time_ns
from types import TracebackType
from typing import Any

from featurememory.circuit_breaker.events import Permit, Refusal, kind_of
from featurememory.errors import CircuitBreakerError
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.context import OperationContext
from featurememory.sdk.encoding import Finished, Outcome, text_of
from featurememory.sdk.host_log import warn
from featurememory.sdk.identity import RANDOM_BITS, random_bits, uuid7
from featurememory.sdk.outcomes import described, outcome_of

Record = Callable[[Finished], None]


class GuardedOperation:
    """A context manager, for `with` and `async with` alike: asks the breaker, times the block, records how it
    ended.

    The block's exception leaves it as it is. Where the breaker refuses, the block does not run:
    CircuitBreakerError is raised and the operation is recorded as `rejected`.
    """

    __slots__ = (
        "_attributes",
        "_began",
        "_breaker",
        "_breakers",
        "_context",
        "_parameters",
        "_permit",
        "_randomness",
        "_record",
        "_score",
        "_started_ns",
    )

    def __init__(self, breakers: Breakers, record: Record, context: OperationContext) -> None:
        self._breakers = breakers
        self._record = record
        self._context = context
        self._parameters: dict[str, Any] | None = None
        self._attributes: dict[str, Any] | None = None
        self._score: float | None = None

    @property
    def id(self) -> str:
        """The operation's UUID (version 7), known from its start on."""
        return uuid7(self._started_ns, self._randomness)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the operation is called with; may be changed until its end."""
        if self._parameters is None:
            self._parameters = self._context.parameters
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: dict[str, Any]) -> None:
        self._parameters = dict(parameters)

    @property
    def attributes(self) -> dict[str, Any]:
        """Whatever else is worth remembering; may be changed until its end."""
        if self._attributes is None:
            self._attributes = self._context.attributes
        return self._attributes

    @attributes.setter
    def attributes(self, attributes: dict[str, Any]) -> None:
        self._attributes = dict(attributes)

    def score(self, value: float) -> None:
        """How good the result is, from 0 to 1. Another value is not recorded, and the log says so: a scorer
        that fails must not fail the operation."""
        if isinstance(value, int | float) and 0 <= value <= 1:
            self._score = float(value)
        else:
            warn("score", f"a score of {text_of(value)[:100]} is not kept: give a number from 0 to 1")

    def __enter__(self) -> GuardedOperation:
        self._randomness = random_bits(RANDOM_BITS)
        self._breaker = self._breakers[self._context.breaker_name]
        permit = self._breaker.admit()
        self._started_ns = time_ns()
        self._began = perf_counter()
        if isinstance(permit, Refusal):
            error = CircuitBreakerError(self._breaker.name, permit.state, permit.retry_after_ms)
            self._finish("rejected", error)
            raise error
        self._permit: Permit = permit
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._breaker.record(self._permit, "success")
            self._finish("success", None)
        else:
            outcome = outcome_of(error)
            self._breaker.record(self._permit, kind_of(outcome))
            self._finish(outcome, error)

    async def __aenter__(self) -> GuardedOperation:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _finish(self, outcome: Outcome, error: BaseException | None) -> None:
        self._record(
            Finished(
                self._started_ns,
                self._randomness,
                perf_counter() - self._began,
                outcome,
                self._context,
                None if error is None else described(error),
                self._parameters,
                self._attributes,
                self._score,
            )
        )
