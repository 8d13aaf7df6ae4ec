"""How far an operator's last act has come among the processes that follow the breakers, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.words import duration, listed, plural
from featurememory.live.followers import Propagation, propagation_of
from featurememory.models import BreakerEvent, Follower

IN_TIME = timedelta(seconds=2)
"""Within this nobody wonders yet who has not applied it."""
WATCHED_FOR = timedelta(seconds=30)
"""So long a page looks again soon; who has not applied it by then will do so when it comes back."""
NEWS_FOR = timedelta(minutes=15)
_ACTS = {
    "reset": "reset it",
    "released": "released it",
    "forced_open": "forced it open",
    "disabled": "disabled it",
    "metrics_only": "let it only measure",
}


@dataclass(frozen=True, slots=True)
class Spread:
    """`waiting` are the processes that have not applied the act, by name; while `is_watched` more is expected soon."""

    event: BreakerEvent
    act: str
    """Completes "OLGA ..."."""
    text: str
    waiting: tuple[str, ...]
    icon: str
    tone: str
    is_watched: bool
    is_news: bool
    """Whether a list of many breakers should mention it."""

    @property
    def short(self) -> str:
        return f"{self.text}, not by {listed(list(self.waiting), 1)}" if self.waiting else self.text


def spread_of(event: BreakerEvent, followers: Iterable[Follower], now: datetime) -> Spread:
    found, age = propagation_of(event, followers), now - event.at
    late = bool(found.waiting) and age > IN_TIME
    return Spread(
        event=event,
        act=_ACTS.get(event.cause, "acted on it"),
        text=_words(found),
        waiting=found.waiting,
        icon="warning" if late else "clock" if found.waiting else "check" if found.connected else "info",
        tone="warn" if late else "ok" if found.connected and not found.waiting else "off",
        is_watched=bool(found.waiting) and age < WATCHED_FOR,
        is_news=bool(found.waiting) or age < NEWS_FOR,
    )


def _words(found: Propagation) -> str:
    if not found.connected:
        return "no process is connected; whoever connects learns of it at once"
    took = f" in {duration(found.slowest_ms)}" if found.slowest_ms and found.slowest_ms > 0 else ""
    if found.waiting:
        processes = plural(found.connected, "connected process", "connected processes")
        return f"applied by {found.applied} of {processes}{took}"
    if found.connected == 1:
        return f"applied by the one connected process{took}"
    return f"applied by all {found.connected} connected processes{took}"
