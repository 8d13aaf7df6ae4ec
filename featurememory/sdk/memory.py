"""The memory as an orchestrator holds it: one object, and the three ways to guard an operation with it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload
from weakref import WeakKeyDictionary, WeakSet, finalize

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus, Transition
from featurememory.integration.error_handler import FeatureMemoryErrorHandler
from featurememory.sdk.breakers import Breakers, Listener, LocalBreaker
from featurememory.sdk.context import OperationContext
from featurememory.sdk.encoding import Finished
from featurememory.sdk.feedback import FeedbackSender
from featurememory.sdk.guarded_function import (
    await_guarded,
    call_guarded,
    guarded_function,
    is_awaitable,
    is_coroutine_function,
)
from featurememory.sdk.http import ServerAddress
from featurememory.sdk.judgement import PLAIN, Errors, Judgement
from featurememory.sdk.operation import GuardedOperation, UnvalidatedOperation
from featurememory.sdk.options import Options, checked_api_key, options_of_environment
from featurememory.sdk.permits import FleetPermits
from featurememory.sdk.pressure import HostPressure
from featurememory.sdk.recommendations import Recommender
from featurememory.sdk.reports import Reporter
from featurememory.sdk.resources import HostResources
from featurememory.sdk.stream import Follower
from featurememory.sdk.transport import Stats, Transport

T = TypeVar("T")
Part = Follower | Reporter | Recommender | FeedbackSender
Function = TypeVar("Function", bound=Callable[..., Any])

_NOTHING_SENT = Stats(0, 0, 0, 0, 0, 0, "", connected=False)


class FeatureMemory:
    """Guards operations, and remembers them on the server. Thread-safe; make one for the process.

    Nothing here waits for the server or fails because of it: operations wait in a bounded buffer, breakers
    decide in this process. Raised is only what keeps an operation from running, beside the caller's own
    exceptions: features, parameters or attributes that cannot be kept (ValidationError), memory that is short
    (ResourceConstraintError), and the breakers' refusal (CircuitBreakerError).
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str = "",
        *,
        breaker: BreakerConfig | Mapping[str, Any] | None = None,
        batch_size: int = 500,
        flush_interval_s: float = 1.0,
        buffer_size: int = 10_000,
        request_timeout_s: float = 10.0,
        exit_timeout_s: float = 2.0,
        follow_breakers: bool = True,
        max_breakers: int = 1_000,
        spool_path: str = "",
        recommend_timeout_s: float = 0.25,
        keep_beliefs_s: float = 5.0,
        max_memory_mb: float = 0.0,
        max_host_memory_percent: float = 95.0,
        error_handler: FeatureMemoryErrorHandler | None = None,
        validate: bool = True,
        ignore: Errors | None = None,
        record: Errors | None = None,
        failure_if: Callable[[Any], bool] | None = None,
    ) -> None:
        """`url` empty: breakers only, nothing is sent. `breaker`: how breakers are configured for which the
        server says nothing else. Batches go when they are full or `flush_interval_s` old. Of more than
        `buffer_size` operations waiting the oldest are dropped, and counted. `exit_timeout_s` bounds what the
        end of the program waits for delivery. `follow_breakers` shares breakers through the server (needs the
        key's scope `read`), from the first call on, or half a second after the memory is made. At most
        `max_breakers` are kept, as long as closed ones can go. Recommendations are waited for `recommend_timeout_s`,
        then the baseline is used; what the server believes of a pattern serves for `keep_beliefs_s`, so that the next
        recommendations for it need not ask (0: each asks). While this process uses more than `max_memory_mb` (0: no
        limit), or its host (or container) more than `max_host_memory_percent` of its memory, operations are refused:
        ResourceConstraintError names the limit. `error_handler` hears of every error that an operation ends with, and
        changes nothing about it. `ignore`, `record` and `failure_if` say which results are failures to breakers,
        where an operation does not say so itself. `validate` False: features that cannot be kept are left away with a
        warning instead, and too large parameters are. ConfigurationError names what is
        wrong."""
        options = Options(
            batch_size=batch_size,
            flush_interval_s=flush_interval_s,
            buffer_size=buffer_size,
            request_timeout_s=request_timeout_s,
            exit_timeout_s=exit_timeout_s,
            follow_breakers=follow_breakers,
            max_breakers=max_breakers,
            spool_path=spool_path,
            recommend_timeout_s=recommend_timeout_s,
            keep_beliefs_s=keep_beliefs_s,
            max_memory_mb=max_memory_mb,
            max_host_memory_percent=max_host_memory_percent,
            validate=validate,
        ).checked()
        self._operation = GuardedOperation if options.validate else UnvalidatedOperation
        config = breaker if isinstance(breaker, BreakerConfig) else BreakerConfig.from_mapping(breaker or {})
        judges = (ignore, record, failure_if) != (None, None, None)
        self._judgement = Judgement(ignore, record, failure_if) if judges else PLAIN
        self._breakers = Breakers(config, options.max_breakers, pressure=HostPressure())
        self._resources = HostResources(options.max_memory_mb, options.max_host_memory_percent)
        self.error_handler = error_handler or FeatureMemoryErrorHandler()
        self._transport: Transport | None = None
        self._follower: Follower | None = None
        self._reporter: Reporter | None = None
        self._recommender: Recommender | None = None
        self._feedback: FeedbackSender | None = None
        if url:
            self._connect(ServerAddress.of(url), checked_api_key(api_key), options, config)
        self._record = _forget if self._transport is None else self._transport.record
        _memories.add(self)
        finalize(self, _let_go, self._transport, self._parts).atexit = False
        if self._follower is not None:
            self._follower.start()

    def _connect(self, address: ServerAddress, api_key: str, options: Options, config: BreakerConfig) -> None:
        transport = self._transport = Transport(address, api_key, options, config.to_mapping())
        _transports[transport] = options.exit_timeout_s
        self.error_handler.remedy(
            "resource", lambda _: transport.buffer.hurry()
        )  # what has gone takes no room
        self._recommender = Recommender(address, api_key, options.recommend_timeout_s, options.keep_beliefs_s)
        self._feedback = FeedbackSender(address, api_key, options.request_timeout_s)
        _feedback[self._feedback] = options.exit_timeout_s
        if not options.follow_breakers:
            return

        def instance() -> str:
            return transport.instance

        def on_move(breaker: str, transition: Transition, fleet_epoch: int | None) -> None:
            reporter.moved(breaker, transition, fleet_epoch)
            transport.buffer.hurry()

        reporter = self._reporter = Reporter(address, api_key, instance)
        permits = FleetPermits(address, api_key)
        self._follower = Follower(
            address,
            api_key,
            self._breakers,
            permits,
            reporter,
            instance=instance,
            on_learning=self._recommender.forget,
        )
        self._breakers.on_use = self._follower.start_now
        self._breakers.on_move = on_move

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """From FEATUREMEMORY_URL, FEATUREMEMORY_API_KEY and, where set, FEATUREMEMORY_BATCH_SIZE and so on
        for each option; ConfigurationError names the variable that is wrong."""
        options = options_of_environment(environment)
        if "FEATUREMEMORY_URL" in environment:
            options["url"] = environment["FEATUREMEMORY_URL"]
        return cls(api_key=environment.get("FEATUREMEMORY_API_KEY", ""), **options)

    @overload
    def handle_operation(
        self, operation: Callable[[], Coroutine[Any, Any, T]] | Awaitable[T], context: OperationContext
    ) -> Coroutine[Any, Any, T]: ...

    @overload
    def handle_operation(self, operation: Callable[[], T], context: OperationContext) -> T: ...

    def handle_operation(self, operation: Any, context: OperationContext) -> Any:
        """What `operation` returns. A coroutine function, or an awaitable, gives an awaitable: the operation
        then begins when that is first awaited."""
        if is_coroutine_function(operation):
            return self._await_call(operation, context)
        if is_awaitable(operation):
            return await_guarded(operation, lambda: self._begin(context))
        return call_guarded(operation, lambda: self._begin(context))

    def operation(
        self,
        operation_type: str,
        *,
        model: str = "",
        parameters: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        features: Iterable[float] | None = None,
        space: str = "",
        breaker: str = "",
        trace_id: str = "",
        span_id: str = "",
        ignore: Errors | None = None,
        record: Errors | None = None,
    ) -> GuardedOperation:
        """For `with` and `async with`; OperationContext documents the arguments."""
        return self._begin(
            OperationContext(
                operation_type,
                model=model,
                parameters=parameters,
                attributes=attributes,
                features=features,
                space=space,
                breaker=breaker,
                trace_id=trace_id,
                span_id=span_id,
                ignore=ignore,
                record=record,
            )
        )

    def guard(
        self,
        operation_type: str,
        *,
        model: str = "",
        attributes: Mapping[str, Any] | None = None,
        breaker: str = "",
        fallback: Callable[..., Any] | None = None,
        ignore: Errors | None = None,
        record: Errors | None = None,
        failure_if: Callable[[Any], bool] | None = None,
    ) -> Callable[[Function], Function]:
        """A decorator for functions, coroutine functions, generators and asynchronous generators.

        `fallback` is called with the call's arguments when a CircuitBreakerError leaves the function, its own
        or that of a guarded call inside, and at no other time; for a generator only before its first item.
        `ignore`, `record` and `failure_if` say which results are failures to the breaker.
        """
        context = OperationContext(
            operation_type,
            model=model,
            attributes=attributes,
            breaker=breaker,
            ignore=ignore,
            record=record,
            failure_if=failure_if,
        )

        def decorate(function: Function) -> Function:
            return cast("Function", guarded_function(function, lambda: self._begin(context), fallback))

        return decorate

    def breaker(self, name: str) -> LocalBreaker:
        """The breaker alone, whose `call` guards without remembering anything."""
        return self._breakers[name]

    def breakers(self) -> dict[str, BreakerStatus]:
        """How the breakers of this process stand, by name; times by its monotonic clock."""
        return self._breakers.statuses()

    def listen(self, listener: Listener) -> None:
        """Calls `listener` with a breaker's name and each of its transitions in this process, in the thread that
        caused it. Where it fails, the log says so and nothing else happens."""
        self._breakers.listen(listener)

    def stats(self) -> Stats:
        """What became of the operations recorded in this process, and whose word its breakers heed."""
        stats = _NOTHING_SENT if self._transport is None else self._transport.stats()
        errors: dict[str, int] = {kind: count for kind, count in self.error_handler.counts.items() if count}
        return stats._replace(breakers="fleet" if self.following else "local", errors=errors)

    @property
    def following(self) -> bool:
        """Whether the server's word on breakers arrives; otherwise they go by this process's own calls
        alone."""
        return self._follower is not None and self._follower.following

    def flush(self, timeout_s: float = 10.0) -> bool:
        """True when, within the time, the server has answered for all operations recorded so far."""
        if self._transport is None:
            return True
        began = monotonic()
        delivered = self._transport.flush(timeout_s)
        rest_s = max(0.0, timeout_s - (monotonic() - began))
        return (self._feedback is None or self._feedback.flush(rest_s)) and delivered

    def feedback(self, operation_id: str, *, score: float | None = None, failed: bool = False) -> None:
        """Says later how good an operation was: a score in [0, 1], or that its result was no good after all. Once for
        each; sent in the background, never waits. ValueError where there is nothing to say."""
        if score is not None and not 0 <= score <= 1:
            raise ValueError(f"score is {score!r}; it lies in [0, 1]")
        if score is None and not failed:
            raise ValueError("give a score in [0, 1], or failed=True")
        if self._feedback is not None:
            said = {"score": score, "outcome": "error" if failed else None}
            self._feedback.send(operation_id, {name: each for name, each in said.items() if each is not None})

    def close(self, timeout_s: float = 10.0) -> bool:
        """Flushes and ends the background threads; operations recorded later are dropped and counted. The end
        of the program does this by itself, but not that of a `multiprocessing` child."""
        delivered = self.flush(timeout_s)
        if self._transport is not None:
            delivered = self._transport.close(0.0 if not delivered else timeout_s) and delivered
        for part in self._parts:
            part.close()
        return delivered

    @property
    def _parts(self) -> tuple[Part, ...]:
        """What has a connection or a thread of its own beside the transport."""
        parts = (self._follower, self._reporter, self._recommender, self._feedback)
        return tuple(part for part in parts if part is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, context: OperationContext) -> GuardedOperation:
        return self._operation(
            self._breakers,
            self._record,
            context,
            self._judgement,
            self._recommender,
            self._resources,
            self.error_handler,
        )

    async def _await_call(self, function: Callable[[], Awaitable[Any]], context: OperationContext) -> Any:
        async with self._begin(context) as operation:
            result = await function()
            operation.judge(result)
            return result

    def _after_fork(self) -> None:
        for part in self._parts:
            part.after_fork()
        self._breakers.after_fork()


_memories: WeakSet[FeatureMemory] = WeakSet()
_transports: WeakKeyDictionary[Transport, float] = WeakKeyDictionary()
_feedback: WeakKeyDictionary[FeedbackSender, float] = WeakKeyDictionary()


def _forget(finished: Finished) -> None:
    """There is no server to remember it."""


def _let_go(transport: Transport | None, parts: tuple[Part, ...]) -> None:
    """Nobody holds the memory any more: what it has is delivered, then its threads end."""
    if transport is not None:
        transport.close_soon()
    for part in parts:
        part.close()


def _deliver_at_exit() -> None:
    for transport, timeout_s in list(_transports.items()):
        transport.close(timeout_s)
    for feedback, timeout_s in list(_feedback.items()):
        feedback.flush(timeout_s)


def _after_fork_in_child() -> None:
    for transport in list(_transports):  # also those whose memory nobody holds any more
        transport.after_fork()
    for memory in list(_memories):
        memory._after_fork()


atexit.register(_deliver_at_exit)
os.register_at_fork(after_in_child=_after_fork_in_child)
