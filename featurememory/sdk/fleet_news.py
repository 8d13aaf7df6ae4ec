"""What the server says about a breaker, and how this process's breaker follows. No network, no lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.machine import BreakerMachine
from featurememory.errors import ConfigurationError


class BreakerNews(NamedTuple):
    """One breaker as a `snapshot` shows it, with its configuration, or one `transition`, without.

    `may_probe_at` is in seconds of this process's monotonic clock, None unless it is open.
    """

    name: str
    state: str
    computed_state: str
    cause: str
    epoch: int
    version: int
    may_probe_at: float | None
    config: Mapping[str, Any] | None

    @classmethod
    def of_snapshot(cls, breaker: Mapping[str, Any], now: float) -> BreakerNews:
        """KeyError, TypeError or ValueError where `breaker` is not what the contract says."""
        return cls._read(breaker["name"], breaker, breaker.get("config") or {}, now)

    @classmethod
    def of_transition(cls, transition: Mapping[str, Any], now: float) -> BreakerNews:
        """Fails as `of_snapshot` does."""
        return cls._read(transition["breaker"], transition, None, now)

    @classmethod
    def _read(
        cls, name: Any, fields: Mapping[str, Any], config: Mapping[str, Any] | None, now: float
    ) -> BreakerNews:
        wait_ms = fields.get("retry_after_ms")
        if not isinstance(config, Mapping | None):
            raise TypeError(f"a breaker's config is a {type(config).__name__}")
        return cls(
            name=str(name),
            state=str(fields["state"]),
            computed_state=str(fields["computed_state"]),
            cause=str(fields.get("cause", "")),
            epoch=int(fields["epoch"]),
            version=int(fields["version"]),
            may_probe_at=None if wait_ms is None else now + float(wait_ms) / 1_000,
            config=config,
        )

    @property
    def matters(self) -> bool:
        """Whether a breaker that is made later has to know of it."""
        return self.state != "closed" or self.computed_state != "closed" or bool(self.config)


def follow(machine: BreakerMachine, news: BreakerNews, heard_epoch: int | None, now: float) -> None:
    """Brings `machine` in step with the fleet's.

    What an operator did holds at once. A computed state holds when its epoch is newer than `heard_epoch`, the
    last that was heard; where there is no telling (first contact, or a server that began anew), open wins and
    closed does not, so that this process keeps the protection it has built up by itself.
    """
    if news.cause == "reset":
        machine.reset(now)
    elif news.state == "forced_open":
        machine.force_open(now)
    elif news.state == "disabled":
        machine.disable(now)
    else:
        machine.release(now)
    if news.computed_state == "open" and news.epoch != heard_epoch:
        machine.follow_open(now, now if news.may_probe_at is None else news.may_probe_at)
    elif news.computed_state == "closed" and heard_epoch is not None and news.epoch > heard_epoch:
        machine.follow_closed(now)


def config_after(current: BreakerConfig, local: BreakerConfig, news: BreakerNews) -> BreakerConfig:
    """The process's own configuration with what the fleet's differs in, where this version understands it."""
    if news.config is None:
        return current
    try:
        return BreakerConfig.from_mapping(local.to_mapping() | dict(news.config))
    except ConfigurationError:
        return current
