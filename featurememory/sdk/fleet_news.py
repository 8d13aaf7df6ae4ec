"""What the server says about breakers, and how this process's follow. No network, no lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Transition
from featurememory.circuit_breaker.machine import BreakerMachine
from featurememory.errors import ConfigurationError


class BreakerNews(NamedTuple):
    """One breaker as a `snapshot` shows it, or one `transition`.

    Moments are in seconds of this process's monotonic clock: `may_probe_at` is None unless it is open, `overlay_until`
    None unless what an operator laid over it ends by itself.
    """

    name: str
    state: str
    computed_state: str
    cause: str
    epoch: int
    version: int
    may_probe_at: float | None
    overlay_until: float | None
    is_snapshot: bool

    @classmethod
    def of_snapshot(cls, breaker: Mapping[str, Any], now: float) -> BreakerNews:
        """KeyError, TypeError or ValueError where `breaker` is not what the contract says."""
        return cls._read(breaker["name"], breaker, now, is_snapshot=True)

    @classmethod
    def of_transition(cls, transition: Mapping[str, Any], now: float) -> BreakerNews:
        """Fails as `of_snapshot` does."""
        return cls._read(transition["breaker"], transition, now, is_snapshot=False)

    @classmethod
    def _read(cls, name: Any, fields: Mapping[str, Any], now: float, *, is_snapshot: bool) -> BreakerNews:
        return cls(
            name=str(name),
            state=str(fields["state"]),
            computed_state=str(fields["computed_state"]),
            cause=str(fields.get("cause", "")),
            epoch=int(fields["epoch"]),
            version=int(fields["version"]),
            may_probe_at=_after(now, fields.get("retry_after_ms")),
            overlay_until=_after(now, fields.get("overlay_remaining_ms")),
            is_snapshot=is_snapshot,
        )

    @property
    def matters(self) -> bool:
        """Whether a breaker that is made later has to know of it: each whose epoch has begun, for the epoch."""
        return self.epoch > 0


class Layers:
    """The fleet's settings: for all breakers, for those of one operation type, for one breaker."""

    def __init__(self, values: Mapping[tuple[str, str], Mapping[str, Any]] | None = None) -> None:
        self._values = dict(values or {})

    @classmethod
    def of_snapshot(cls, rows: Any) -> Layers:
        """Fails as BreakerNews.of_snapshot does."""
        return cls({(str(row["scope"]), str(row["name"])): dict(row["values"]) for row in rows})

    def with_layer(self, scope: str, name: str, values: Mapping[str, Any]) -> Layers:
        return Layers({**self._values, (scope, name): dict(values)})

    def over(self, local: BreakerConfig, operation_type: str, name: str) -> BreakerConfig:
        """`local` with what the fleet sets over it; `local` where this version does not understand that."""
        above = {
            **self._values.get(("default", ""), {}),
            **self._values.get(("operation_type", operation_type), {}),
            **self._values.get(("breaker", name), {}),
        }
        if not above:
            return local
        for below in (local.to_mapping(), {}):  # what does not go together with the fleet's is left out
            try:
                return BreakerConfig.from_mapping({**below, **above})
            except (ConfigurationError, TypeError):
                continue
        return local


def follow(
    machine: BreakerMachine, news: BreakerNews, heard_epoch: int | None, now: float
) -> tuple[Transition, ...]:
    """Brings `machine` in step with the fleet's; gives what it did.

    What an operator did holds at once. A computed state holds when its epoch is newer than `heard_epoch`, the
    last that was heard; where there is no telling (first contact, or a server that began anew), open wins and
    closed does not, so that this process keeps the protection it has built up by itself. Of what a snapshot skips
    nothing is known but that it may have been a reset, so that a closed breaker begins anew.
    """
    moved: tuple[Transition, ...]
    if news.cause == "reset":
        moved = machine.reset(now)
    elif news.state == "forced_open":
        moved = machine.force_open(now, news.overlay_until)
    elif news.state == "disabled":
        moved = machine.disable(now, news.overlay_until)
    elif news.state == "metrics_only":
        moved = machine.only_measure(now, news.overlay_until)
    else:
        moved = machine.release(now)
    if news.computed_state == "open" and news.epoch != heard_epoch:
        moved += machine.follow_open(now, now if news.may_probe_at is None else news.may_probe_at)
    elif news.computed_state == "half_open" and news.epoch != heard_epoch:
        moved += machine.follow_half_open(now)
    elif news.computed_state == "closed" and heard_epoch is not None and news.epoch > heard_epoch:
        moved += machine.follow_closed(now, anew=news.is_snapshot)
    return moved


def _after(now: float, milliseconds: Any) -> float | None:
    return None if milliseconds is None else now + float(milliseconds) / 1_000
