"""The breakers of this process: one for each name, made when it is first used, in step with the fleet's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock
from time import monotonic, perf_counter
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus, Kind, Permit, Refusal, State, Transition
from featurememory.circuit_breaker.machine import BreakerMachine
from featurememory.errors import CircuitBreakerError
from featurememory.sdk.fleet_news import BreakerNews, Layers, follow
from featurememory.sdk.host_log import warn
from featurememory.sdk.identity import random_share
from featurememory.sdk.outcomes import outcome_kind
from featurememory.sdk.permits import Grant
from featurememory.sdk.pressure import NO_PRESSURE, HostPressure

T = TypeVar("T")
OnUse = Callable[[], bool]
Listener = Callable[[str, Transition], object]

_FULL_WAIT_S = 0.1
"""How long nobody is asked for a probe again after the fleet had no permit left."""


class Fleet(Protocol):
    """The way to the fleet's breakers."""

    def ask(self, breaker: str) -> Grant | None:
        """Leave for one probe; None where the fleet cannot be asked. Takes a fraction of a second at most."""


class _Asking:
    """A task that asks the fleet in a thread; it may be cancelled before the answer comes."""

    __slots__ = ("grant", "is_left")

    def __init__(self) -> None:
        self.grant: Grant | None = None
        self.is_left = False


class LocalBreaker:
    """A state machine behind a lock. While it is closed, asking for leave takes no lock; none is ever held
    over the guarded call. The lock is re-entrant, since signal handlers and finalizers may come back in."""

    __slots__ = (
        "__weakref__",
        "_asking",
        "_breakers",
        "_clock",
        "_heard_version",
        "_left_over",
        "_lock",
        "_machine",
        "_no_probe_until",
        "_on_use",
        "_slow_s",
        "covers_all",
        "fleet_epoch",
        "name",
        "operation_type",
        "used_at",
    )

    def __init__(self, name: str, breakers: Breakers, operation_type: str = "") -> None:
        self.name = name
        self.operation_type = operation_type
        self._breakers = breakers
        self._clock = breakers.clock
        self._on_use = breakers.on_use
        self.used_at = perf_counter()
        self._lock = RLock()
        self._take_config(BreakerMachine(breakers.config_of(self), random=random_share))
        self.fleet_epoch: int | None = None
        """That of the fleet's breaker, as last heard."""
        self._heard_version = -1
        self._asking = False
        self._no_probe_until = 0.0
        self._left_over: tuple[Grant, float] | None = None
        """A probe granted to a caller that had gone when the answer came, and until when it is good."""

    def call(self, operation: Callable[[], T]) -> T:
        """The result of `operation`; CircuitBreakerError where it must not run."""
        if self._on_use is not None:
            self._use()
        began = perf_counter()
        if began >= self._breakers.look_at:
            self._breakers.look()
        permit = self._machine.open_door or self._admit_alone()
        if isinstance(permit, Refusal):
            raise CircuitBreakerError(self.name, permit.state, permit.retry_after_ms, permit.detail)
        try:
            result = operation()
        except BaseException as error:
            self.record(permit, outcome_kind(error), perf_counter() - began)
            raise
        duration_s = perf_counter() - began
        if permit is self._machine.relaxed and duration_s < self._slow_s:
            next(permit.successes)
        else:
            self.record(permit, "success", duration_s)
        return result

    def admit(self) -> Permit | Refusal:
        """Leave for one operation, whose result is owed to `record`. A probe's is asked of the fleet, which may take
        a fraction of a second; where it cannot be asked, this process counts its own."""
        answer = self._admit_or_ask()
        if answer is not None:
            return answer
        try:
            grant = self._ask()
        finally:
            self._asking = False
        return self._admit_as(grant)

    async def admit_async(self) -> Permit | Refusal:
        """As `admit`, without holding up the event loop."""
        answer = self._admit_or_ask()
        if answer is not None:
            return answer
        from asyncio import get_running_loop

        asking = _Asking()
        try:
            try:
                grant = await get_running_loop().run_in_executor(None, self._ask, asking)
            except RuntimeError:  # another library's loop
                grant = self._ask()
        except BaseException:
            with self._lock:
                asking.is_left = True
                self._leave_to_the_next(asking.grant)
            raise
        finally:
            self._asking = False
        return self._admit_as(grant)

    def record(self, permit: Permit, kind: Kind, duration_s: float = 0.0) -> None:
        if kind == "success" and permit is self._machine.relaxed and duration_s < self._slow_s:
            next(permit.successes)
            return
        with self._lock:
            moved = self._machine.record(permit, kind, self._clock(), duration_s)
        self._tell(moved)

    def covers(self, operation_type: str) -> bool:
        return self._machine.config.covers(operation_type)

    @property
    def state(self) -> State:
        if self._on_use is not None:
            self._use()
        return self._machine.state(self._clock())

    def status(self) -> BreakerStatus:
        """How it stands, by this process's monotonic clock."""
        with self._lock:
            return self._machine.status(self._clock())

    def hear(self, news: BreakerNews) -> None:
        """Takes over what the fleet says, unless it knows better already."""
        with self._lock:
            if not news.is_snapshot and news.version <= self._heard_version:
                return
            moved = follow(self._machine, news, self.fleet_epoch, self._clock())
            self.fleet_epoch, self._heard_version = news.epoch, news.version
            self._no_probe_until = 0.0
            if self._left_over is not None and not self._left_over[0].permit.startswith(f"{news.epoch}."):
                self._left_over = None
        self._tell(moved, by_itself=False)

    def hear_nothing(self) -> None:
        """The fleet does not know this breaker, or has forgotten it: no operator holds it, and whatever it says next
        is new. What this process computed itself stays."""
        with self._lock:
            self.fleet_epoch, self._heard_version = None, -1
            moved = self._machine.release(self._clock())
        self._tell(moved, by_itself=False)

    def configure(self, config: BreakerConfig) -> None:
        """Goes on under `config`; the window stays as far as it fits."""
        with self._lock:
            if config != self._machine.config:
                machine = BreakerMachine.restore(config, self._machine.snapshot(), random=random_share)
                machine.feel(self._breakers.pressure.on(config.health_thresholds))
                self._take_config(machine)

    def feel(self, pressure: str) -> None:
        with self._lock:
            self._machine.feel(pressure)

    @property
    def config(self) -> BreakerConfig:
        return self._machine.config

    def counted(self) -> tuple[int, int]:
        """(calls, failures) in its window."""
        with self._lock:
            totals = self._machine.totals(self._clock())
        return totals.calls, totals.failures

    def after_fork(self, on_use: OnUse | None) -> None:
        """In the child: the parent's probes are not ours to wait for, and its threads hold no lock of
        ours."""
        self._on_use = on_use
        self._lock = RLock()
        self._asking = False
        self._left_over = None
        snapshot = self._machine.snapshot() | {"round": None}
        self._take_config(BreakerMachine.restore(self._machine.config, snapshot, random=random_share))

    def _take_config(self, machine: BreakerMachine) -> None:
        self._machine = machine
        self._slow_s = machine.config.slow_call_duration_ms / 1_000
        self.covers_all = not machine.config.monitored_operations

    def _use(self) -> None:
        if self._on_use is not None and self._on_use():
            self._on_use = None

    def _admit_or_ask(self) -> Permit | Refusal | None:
        """The answer, or None where the fleet has to be asked."""
        if self._on_use is not None:
            self._use()
        everybody = self._machine.open_door
        if everybody is not None:
            return everybody
        now = self._clock()
        if now < (shut_until := self._machine.shut_until):
            return Refusal("open", (shut_until - now) * 1_000)
        with self._lock:
            if self._breakers.fleet is None or not self._machine.wants_probe(now):
                answer = self._machine.admit(now)
            elif self._left_over is not None and now < self._left_over[1]:
                (grant, _), self._left_over = self._left_over, None
                return Permit(self._machine.epoch, token=grant.permit)
            elif self._asking or now < self._no_probe_until:
                status = self._machine.status(now)
                wait_ms = max(0.0, self._no_probe_until - now) * 1_000
                return Refusal("half_open" if status.computed_state == "half_open" else "open", wait_ms)
            else:
                self._asking = True
                return None
        self._tell(answer.transitions)
        return answer

    def _ask(self, asking: _Asking | None = None) -> Grant | None:
        fleet = self._breakers.fleet
        grant = None if fleet is None else fleet.ask(self.name)
        if asking is not None:
            with self._lock:
                asking.grant = grant
                if asking.is_left:
                    self._leave_to_the_next(grant)
        return grant

    def _leave_to_the_next(self, grant: Grant | None) -> None:
        """Whoever asked was cancelled meanwhile; a probe that nobody is would be missed and count as failed."""
        if grant is not None and _is_probe(grant):
            self._left_over = grant, self._clock() + self._machine.config.half_open_timeout_ms / 1_000

    def _admit_as(self, grant: Grant | None) -> Permit | Refusal:
        """As the fleet says; by this process's own count where it cannot be asked, where it does not probe itself,
        and where news came meanwhile after which this process does not want to any more."""
        with self._lock:
            now = self._clock()
            if grant is not None and self._machine.wants_probe(now):
                if _is_probe(grant):
                    return Permit(self._machine.epoch, token=grant.permit)
                if not grant.allowed:
                    wait_s = _FULL_WAIT_S if grant.retry_after_ms is None else grant.retry_after_ms / 1_000
                    self._no_probe_until = now + wait_s
                    return Refusal(grant.state, grant.retry_after_ms)
        return self._admit_alone()

    def _admit_alone(self) -> Permit | Refusal:
        now = self._clock()
        if now < (shut_until := self._machine.shut_until):
            return Refusal("open", (shut_until - now) * 1_000)
        with self._lock:
            answer = self._machine.admit(now)
        self._tell(answer.transitions)
        return answer

    def _tell(self, moved: Sequence[Transition], *, by_itself: bool = True) -> None:
        for transition in moved:
            self._breakers.tell(self, transition, by_itself=by_itself)


class Breakers:
    """All breakers of the process, at most `limit` while closed ones can go: those not used lately go
    first. One that its user still holds stays the only one of its name, and goes on hearing.

    `on_use` is asked before calls, until it has said to each breaker that it need not be any more. `fleet` is the way
    to the fleet's breakers while it can be reached; `on_move` hears of what they do by themselves in any case.
    """

    def __init__(
        self,
        config: BreakerConfig,
        limit: int,
        *,
        clock: Callable[[], float] = monotonic,
        pressure: HostPressure = NO_PRESSURE,
    ) -> None:
        self._config = config
        self._limit = limit
        self.clock = clock
        self.pressure = pressure
        self.look_at = pressure.look_at
        self._lock = RLock()
        self._breakers: dict[str, LocalBreaker] = {}
        self._gone: WeakValueDictionary[str, LocalBreaker] = WeakValueDictionary()
        self._layers = Layers()
        self._news: dict[str, BreakerNews] = {}
        self._listeners: tuple[Listener, ...] = ()
        self.on_use: OnUse | None = None
        self.fleet: Fleet | None = None
        self.on_move: Callable[[str, Transition, int | None], None] | None = None

    def __getitem__(self, name: str) -> LocalBreaker:
        return self.of(name, "", perf_counter())

    def of(self, name: str, operation_type: str, now: float) -> LocalBreaker:
        """The named breaker; `operation_type` is that of the operation that it guards, `now` by `perf_counter`."""
        breaker = self._breakers.get(name) or self._made(name, operation_type)
        breaker.used_at = now
        return breaker

    def statuses(self) -> dict[str, BreakerStatus]:
        return {breaker.name: breaker.status() for breaker in self._all()}

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners += (listener,)

    def tell(self, breaker: LocalBreaker, transition: Transition, *, by_itself: bool) -> None:
        """One transition, to all who want to know; what they do harms nobody."""
        if by_itself and self.on_move is not None:
            self.on_move(breaker.name, transition, breaker.fleet_epoch)
        for listener in self._listeners:
            try:
                listener(breaker.name, transition)
            except Exception as error:
                warn("listener", f"a listener to breakers failed: {error!r}")

    def hear(self, news: BreakerNews) -> None:
        """One change of the fleet's; known ones of this process follow, later ones will."""
        with self._lock:
            self._news.pop(news.name, None)
            if news.matters:
                self._news[news.name] = news
                if len(self._news) > self._limit:
                    self._forget_old_news()
            breaker = self._breakers.get(news.name) or self._gone.get(news.name)
        if breaker is not None:
            breaker.hear(news)

    def hear_all(self, everything: Iterable[BreakerNews], layers: Layers | None = None) -> None:
        """The fleet as it stands; what it does not name it has nothing to say about."""
        everything = list(everything)
        with self._lock:  # at once, so that no breaker is made meanwhile that has not heard
            self._news = {news.name: news for news in everything if news.matters}
            self._layers = layers or Layers()
        self._configure_all()
        named = {news.name for news in everything}
        for breaker in self._all():
            if breaker.name not in named:
                breaker.hear_nothing()
        for news in everything:
            self.hear(news)

    def hear_configuration(self, scope: str, name: str, values: Mapping[str, Any]) -> None:
        """What one layer of the fleet's settings sets now."""
        with self._lock:
            self._layers = self._layers.with_layer(scope, name, values)
        self._configure_all()

    def config_of(self, breaker: LocalBreaker) -> BreakerConfig:
        """The process's own settings with the fleet's over them."""
        return self._layers.over(self._config, breaker.operation_type, breaker.name)

    def look(self) -> None:
        """Looks at the host, and lets breakers feel what presses it; takes a tenth of a millisecond a second."""
        with self._lock:
            known = {breaker.config.health_thresholds for breaker in self._breakers.values()}
            changes = self.pressure.look(self.clock(), known, self._error_rate)
            self.look_at = perf_counter() + self.pressure.look_every_s
            pressed = [(each, changes.get(each.config.health_thresholds)) for each in self._breakers.values()]
        for breaker, words in pressed if changes else ():
            if words is not None:
                breaker.feel(words)

    def after_fork(self) -> None:
        self._lock = RLock()
        for breaker in self._all():
            breaker.after_fork(self.on_use)

    def _made(self, name: str, operation_type: str) -> LocalBreaker:
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is None:
                breaker = self._gone.pop(name, None) or self._fresh(name, operation_type)
                if len(self._breakers) >= self._limit:
                    self._evict()
                self._breakers[name] = breaker
            return breaker

    def _fresh(self, name: str, operation_type: str) -> LocalBreaker:
        breaker = LocalBreaker(name, self, operation_type)
        breaker.feel(self.pressure.on(breaker.config.health_thresholds))
        if name in self._news:
            breaker.hear(self._news[name])
        return breaker

    def _forget_old_news(self) -> None:
        """As `_evict`: of breakers that are closed for everybody, as long as there are such."""
        closed = [name for name, news in self._news.items() if news.state == "closed"]
        for name in closed[: self._limit // 10 + 1]:
            del self._news[name]

    def _error_rate(self) -> float | None:
        """Of all calls in the windows of all breakers, in per cent."""
        counted = [breaker.counted() for breaker in self._breakers.values()]
        calls, failures = (sum(each[index] for each in counted) for index in (0, 1))
        return 100 * failures / calls if calls >= self._config.minimum_calls else None

    def _configure_all(self) -> None:
        for breaker in self._all():
            breaker.configure(self.config_of(breaker))

    def _all(self) -> list[LocalBreaker]:
        with self._lock:
            return [*self._breakers.values(), *self._gone.values()]

    def _evict(self) -> None:
        """Makes room for a tenth at once, so that names used only once stay cheap."""
        now = self.clock()
        closed = [breaker for breaker in self._breakers.values() if breaker._machine.state(now) == "closed"]
        closed.sort(key=lambda breaker: breaker.used_at)
        for breaker in closed[: self._limit // 10 + 1]:
            self._gone[breaker.name] = self._breakers.pop(breaker.name)


def _is_probe(grant: Grant) -> bool:
    """Otherwise the fleet's breaker refuses, or lets everybody through."""
    return grant.allowed and "." in grant.permit
