"""One guarded operation, from leave to record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from featurememory.circuit_breaker.events import Kind, Permit, Refusal, kind_of
from featurememory.errors import CircuitBreakerError, FeatureMemoryError
from featurememory.integration.error_handler import FeatureMemoryErrorHandler
from featurememory.sdk.breakers import Breakers, LocalBreaker
from featurememory.sdk.context import OperationContext
from featurememory.sdk.encoding import Finished, Outcome, text_of
from featurememory.sdk.host_log import warn
from featurememory.sdk.identity import RANDOM_BITS, random_bits, uuid7
from featurememory.sdk.judgement import PLAIN, Judgement
from featurememory.sdk.outcomes import described, outcome_of
from featurememory.sdk.resources import UNLIMITED, HostResources
from featurememory.sdk.validation import SOUND, faults_of, refusal

if TYPE_CHECKING:
    from featurememory.sdk.recommendations import Recommended, Recommender

Record = Callable[[Finished], None]

UNGUARDED: Final = Permit(-1)
"""For operations that a breaker does not cover: no epoch is theirs."""


class GuardedOperation:
    """A context manager, for `with` and `async with` alike: validates what the caller gave, asks the breaker, times
    the block, records how it ended.

    The block's exception leaves it as it is. Where the input cannot be kept, memory is short or the breaker refuses,
    the block does not run: ValidationError, ResourceConstraintError or CircuitBreakerError is raised and the operation
    is recorded as `rejected`.
    """

    __slots__ = (
        "_attributes",
        "_began",
        "_breaker",
        "_breakers",
        "_context",
        "_default_judgement",
        "_error_handler",
        "_failure",
        "_fleet_epoch",
        "_is_covered",
        "_parameters",
        "_permit",
        "_randomness",
        "_recommended",
        "_recommender",
        "_record",
        "_resources",
        "_score",
        "_started_ns",
    )

    _began: float
    _fleet_epoch: int | None

    def __init__(
        self,
        breakers: Breakers,
        record: Record,
        context: OperationContext,
        judgement: Judgement = PLAIN,
        recommender: Recommender | None = None,
        resources: HostResources = UNLIMITED,
        error_handler: FeatureMemoryErrorHandler | None = None,
    ) -> None:
        """`judgement` is for what the context does not judge by itself."""
        self._resources = resources
        self._error_handler = error_handler
        self._breakers = breakers
        self._record = record
        self._context = context
        self._default_judgement = judgement
        self._failure: tuple[str, str] | None = None
        self._parameters: dict[str, Any] | None = None
        self._attributes: dict[str, Any] | None = None
        self._score: float | None = None
        self._recommender = recommender
        self._recommended: Recommended | None = None
        self._fleet_epoch: int | None = None

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

    def recommend(
        self,
        baseline: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]] | None = None,
        *,
        pattern: int | None = None,
    ) -> dict[str, Any]:
        """The parameters to call with, which become the operation's: what works best for inputs like this one, some
        of the time another set to learn more, or `baseline`, what would be used without the memory. That comes back
        too where nothing better is known or the server does not answer in time. `candidates` are other sets, with the
        baseline's keys; without them those proposed so far are tried. The pattern is found by the operation's
        features, or given. Does not raise."""
        asked = perf_counter()
        if self._recommender is None:
            self.parameters = dict(baseline)
        else:
            self._recommended = self._recommender.recommend(self._context, baseline, candidates, pattern)
            self.parameters = self._recommended.parameters
        self._began += perf_counter() - asked  # the operation is not the slower for it
        return dict(self.parameters)

    async def recommend_async(
        self,
        baseline: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]] | None = None,
        *,
        pattern: int | None = None,
    ) -> dict[str, Any]:
        """As `recommend`, without holding up the event loop while the server is asked."""
        from asyncio import to_thread

        asked, began = perf_counter(), self._began
        parameters = await to_thread(self.recommend, baseline, candidates, pattern=pattern)
        self._began = began + perf_counter() - asked
        return parameters

    @property
    def recommended(self) -> Recommended | None:
        """What was recommended and whence; None where nobody has asked, or there is no server."""
        return self._recommended

    def score(self, value: float) -> None:
        """How good the result is, from 0 to 1. Another value is not recorded, and the log says so: a scorer
        that fails must not fail the operation."""
        if isinstance(value, int | float) and 0 <= value <= 1:
            self._score = float(value)
        else:
            warn("score", f"a score of {text_of(value)[:100]} is not kept: give a number from 0 to 1")

    @property
    def _judgement(self) -> Judgement:
        own = self._context.judgement
        return self._default_judgement if own is None else own.over(self._default_judgement)

    def fail(self, why: str = "") -> None:
        """The result is no good, though nothing was raised: it counts as an error, to the breaker too."""
        self._failure = ("judged_failure", why)

    def judge(self, result: object) -> None:
        """As `fail`, where `failure_if` says so of what the call returned."""
        if self._default_judgement is PLAIN and self._context.judgement is None:
            return
        if self._judgement.is_failure(result):
            self.fail()

    def __enter__(self) -> GuardedOperation:
        breaker = self._prepare()
        return self._begin(breaker.admit() if self._is_covered else UNGUARDED)

    async def __aenter__(self) -> GuardedOperation:
        breaker = self._prepare()
        return self._begin(await breaker.admit_async() if self._is_covered else UNGUARDED)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        duration_s = perf_counter() - self._began
        if error is None and self._failure is None:
            self._breaker.record(self._permit, "success", duration_s)
            self._finish("success", None, duration_s)
        elif error is None:
            self._breaker.record(self._permit, "failure", duration_s)
            self._finish("error", self._failure, duration_s)
        else:
            outcome = outcome_of(error)
            meant = kind_of(outcome)
            judged = self._judgement.of_error(error, meant)
            self._breaker.record(self._permit, judged, duration_s)
            self._finish(outcome, described(error), duration_s, None if judged == meant else judged)
            if outcome in ("error", "timeout"):  # a refusal was an inner operation's, which has told of it
                self._tell(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _validate(self) -> None:
        """ValidationError where what the caller gave cannot be kept; no breaker hears of it."""
        context = self._context
        if faults := faults_of(context):
            self._fleet_epoch = None
            self._attributes = context.attributes | {"validation_errors": [each._asdict() for each in faults]}
            if any(fault.field.startswith("features") for fault in faults):
                self._context = context.without_features()
            self._reject(refusal(faults))

    def _prepare(self) -> LocalBreaker:
        self._randomness = random_bits(RANDOM_BITS)
        context, breakers, resources = self._context, self._breakers, self._resources
        if context.faults is not SOUND:
            self._validate()
        now = perf_counter()
        if now >= resources.look_at:
            resources.look(now)
        if resources.is_short and (error := resources.error()):
            self._reject(error)
        if now >= breakers.look_at:
            breakers.look()
        breaker = self._breaker = breakers.of(context.breaker_name, context.operation_type, now)
        self._fleet_epoch = (
            breaker.fleet_epoch
        )  # before leave is given: news that comes between makes it late
        self._is_covered = breaker.covers_all or breaker.covers(context.operation_type)
        return breaker

    def _begin(self, permit: Permit | Refusal) -> GuardedOperation:
        if isinstance(permit, Refusal):
            self._reject(
                CircuitBreakerError(self._breaker.name, permit.state, permit.retry_after_ms, permit.detail)
            )
        self._started_ns = time_ns()
        self._began = perf_counter()
        self._permit = permit
        return self

    def _tell(self, error: BaseException) -> None:
        if self._error_handler is not None:
            self._error_handler.handle(error, self._context)

    def _reject(self, error: FeatureMemoryError) -> NoReturn:
        """Records that the operation never ran, and raises why."""
        self._started_ns = time_ns()
        self._began = perf_counter()
        self._permit = UNGUARDED
        self._finish("rejected", described(error), 0.0)
        self._tell(error)
        raise error

    def _finish(
        self,
        outcome: Outcome,
        error: tuple[str, str] | None,
        duration_s: float,
        breaker_result: Kind | None = None,
    ) -> None:
        recommended = self._recommended
        self._record(
            Finished(
                self._started_ns,
                self._randomness,
                duration_s,
                outcome,
                self._context,
                error,
                self._parameters,
                self._attributes,
                self._score,
                self._permit.token or self._fleet_epoch,
                breaker_result,
                *((recommended.id, recommended.choice) if recommended else ()),
            )
        )


class UnvalidatedOperation(GuardedOperation):
    """Runs whatever it is given; what cannot be kept is left away."""

    __slots__ = ()

    def _validate(self) -> None:
        """Nothing is looked at."""
