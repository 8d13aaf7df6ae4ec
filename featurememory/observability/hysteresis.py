"""What is believed of a component: worse at once, better only once it has stayed better. Plain.

A verdict on figures that jitter is believed to be worse at the second look in a row. One that is better has to hold
for BETTER_FOR; the worst that was seen meanwhile is what it then comes to, so that nothing flaps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from featurememory.observability.health import BADNESS, Component, Status

BETTER_FOR = timedelta(seconds=25)
"""At a look every 15 s these are three looks."""
LOOKS_TO_BELIEVE_JITTER = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What is believed, since when, and what speaks against it by now."""

    status: Status
    since: datetime
    reason: str
    better_status: Status | None = None
    better_since: datetime | None = None
    worse_looks: int = 0
    passes: bool = False
    """As a Component's."""

    @property
    def words(self) -> str:
        """The reason, and what speaks against it."""
        if self.better_since is None:
            return self.reason
        wait = f"{BETTER_FOR.total_seconds():.0f} s"
        return (
            f"{self.reason} Better since {self.better_since:%H:%M:%S} UTC; believed once it holds for {wait}."
        )


def steady(before: Standing | None, verdict: Component, now: datetime) -> Standing:
    """What is believed after one more look."""
    if before is None:
        return _believed(verdict, now)
    badness = BADNESS[verdict.status] - BADNESS[before.status]
    if badness > 0:
        return _worse(before, verdict, now)
    if badness < 0:
        return _better(before, verdict, now)
    return _believed(verdict, before.since)


def _believed(verdict: Component, since: datetime) -> Standing:
    return Standing(verdict.status, since, verdict.reason, passes=verdict.passes)


def _worse(before: Standing, verdict: Component, now: datetime) -> Standing:
    looks = before.worse_looks + 1
    if verdict.jitters and looks < LOOKS_TO_BELIEVE_JITTER:
        return replace(before, worse_looks=looks, better_status=None, better_since=None)
    return _believed(verdict, now)


def _better(before: Standing, verdict: Component, now: datetime) -> Standing:
    if before.passes:
        return _believed(verdict, now)
    seen = [verdict.status] if before.better_status is None else [verdict.status, before.better_status]
    worst = max(seen, key=BADNESS.__getitem__)
    since = now if before.better_since is None else min(before.better_since, now)
    if now - since >= BETTER_FOR:
        return Standing(worst, now, verdict.reason)
    return replace(before, better_status=worst, better_since=since, worse_looks=0)
