"""The breakers of this process: one for each name, made when it is first used, in step with the fleet's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from time import monotonic
from typing import TypeVar
from weakref import WeakValueDictionary

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus, Kind, Permit, Refusal, State
from featurememory.circuit_breaker.machine import BreakerMachine
from featurememory.errors import CircuitBreakerError
from featurememory.sdk.fleet_news import BreakerNews, config_after, follow
from featurememory.sdk.identity import random_share
from featurememory.sdk.outcomes import outcome_kind

T = TypeVar("T")
OnUse = Callable[[], bool]


class LocalBreaker:
    """A state machine behind a lock. While it is closed, asking for leave takes no lock; none is ever held
    over the guarded call. The lock is re-entrant, since signal handlers and finalizers may come back in."""

    __slots__ = (
        "__weakref__",
        "_config",
        "_heard_epoch",
        "_heard_version",
        "_lock",
        "_machine",
        "_on_use",
        "name",
        "used_at",
    )

    def __init__(self, name: str, config: BreakerConfig, on_use: OnUse | None = None) -> None:
        """`on_use` is asked at each use, until it says that it need not be any more."""
        self.name = name
        self._on_use = on_use
        self.used_at = monotonic()
        self._config = config
        self._lock = RLock()
        self._machine = BreakerMachine(config, random=random_share)
        self._heard_epoch: int | None = None
        self._heard_version = -1

    def call(self, operation: Callable[[], T]) -> T:
        """The result of `operation`; CircuitBreakerError where it must not run."""
        if self._on_use is not None:
            self._use()
        permit = self._machine.open_door or self.admit()
        if isinstance(permit, Refusal):
            raise CircuitBreakerError(self.name, permit.state, permit.retry_after_ms)
        try:
            result = operation()
        except BaseException as error:
            self.record(permit, outcome_kind(error))
            raise
        if permit is self._machine.relaxed:
            next(permit.successes)
        else:
            self.record(permit, "success")
        return result

    def admit(self) -> Permit | Refusal:
        """Leave for one call, whose result is owed to `record`."""
        if self._on_use is not None:
            self._use()
        everybody = self._machine.open_door
        if everybody is not None:
            return everybody
        with self._lock:
            return self._machine.admit(monotonic())

    def record(self, permit: Permit, kind: Kind) -> None:
        if kind == "success" and permit is self._machine.relaxed:
            next(permit.successes)
            return
        with self._lock:
            self._machine.record(permit, kind, monotonic())

    @property
    def state(self) -> State:
        if self._on_use is not None:
            self._use()
        return self._machine.state(monotonic())

    def status(self) -> BreakerStatus:
        """How it stands, by this process's monotonic clock."""
        with self._lock:
            return self._machine.status(monotonic())

    def hear(self, news: BreakerNews) -> None:
        """Takes over what the fleet says, unless it knows better already."""
        with self._lock:
            if news.config is None and news.version <= self._heard_version:
                return
            config = config_after(self._machine.config, self._config, news)
            if config != self._machine.config:
                snapshot = self._machine.snapshot()
                self._machine = BreakerMachine.restore(config, snapshot, random=random_share)
            follow(self._machine, news, self._heard_epoch, monotonic())
            self._heard_epoch, self._heard_version = news.epoch, news.version

    def after_fork(self, on_use: OnUse | None) -> None:
        """In the child: the parent's probes are not ours to wait for, and its threads hold no lock of
        ours."""
        self._on_use = on_use
        self._lock = RLock()
        snapshot = self._machine.snapshot() | {"round": None}
        self._machine = BreakerMachine.restore(self._machine.config, snapshot, random=random_share)

    def _use(self) -> None:
        if self._on_use is not None and self._on_use():
            self._on_use = None


class Breakers:
    """All breakers of the process, at most `limit` while closed ones can go: those not used lately go
    first. One that its user still holds stays the only one of its name, and goes on hearing.

    `on_use` is asked when one is used, until it has said to each that it need not be any more.
    """

    def __init__(self, config: BreakerConfig, limit: int) -> None:
        self._config = config
        self._limit = limit
        self._lock = RLock()
        self._breakers: dict[str, LocalBreaker] = {}
        self._gone: WeakValueDictionary[str, LocalBreaker] = WeakValueDictionary()
        self.on_use: OnUse | None = None
        self._news: dict[str, BreakerNews] = {}

    def __getitem__(self, name: str) -> LocalBreaker:
        breaker = self._breakers.get(name) or self._made(name)
        breaker.used_at = monotonic()
        return breaker

    def statuses(self) -> dict[str, BreakerStatus]:
        return {breaker.name: breaker.status() for breaker in self._all()}

    def hear(self, news: BreakerNews) -> None:
        """One change of the fleet's; known ones of this process follow, later ones will."""
        with self._lock:
            if news.matters:
                self._news[news.name] = news
            else:
                self._news.pop(news.name, None)
            breaker = self._breakers.get(news.name) or self._gone.get(news.name)
        if breaker is not None:
            breaker.hear(news)

    def hear_all(self, everything: Iterable[BreakerNews]) -> None:
        """The fleet as it stands; what it does not name it has nothing to say about."""
        everything = list(everything)
        with self._lock:  # at once, so that no breaker is made meanwhile that has not heard
            self._news = {news.name: news for news in everything if news.matters}
        for news in everything:
            self.hear(news)

    def after_fork(self) -> None:
        self._lock = RLock()
        for breaker in self._all():
            breaker.after_fork(self.on_use)

    def _made(self, name: str) -> LocalBreaker:
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is None:
                breaker = self._gone.pop(name, None) or self._fresh(name)
                if len(self._breakers) >= self._limit:
                    self._evict()
                self._breakers[name] = breaker
            return breaker

    def _fresh(self, name: str) -> LocalBreaker:
        breaker = LocalBreaker(name, self._config, self.on_use)
        if name in self._news:
            breaker.hear(self._news[name])
        return breaker

    def _all(self) -> list[LocalBreaker]:
        with self._lock:
            return [*self._breakers.values(), *self._gone.values()]

    def _evict(self) -> None:
        """Makes room for a tenth at once, so that names used only once stay cheap."""
        closed = [breaker for breaker in self._breakers.values() if breaker.state == "closed"]
        closed.sort(key=lambda breaker: breaker.used_at)
        for breaker in closed[: self._limit // 10 + 1]:
            self._gone[breaker.name] = self._breakers.pop(breaker.name)
