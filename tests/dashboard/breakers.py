"""Breakers in whatever state a test wants them, told of as ingestion tells them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from featurememory.circuit_breaker.events import Kind
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.models import Breaker, BreakerEvent, Follower


def tell(name: str, kind: Kind, times: int, at: datetime, duration_s: float = 0.0) -> Breaker:
    """The breaker after so many results at that moment."""
    seconds = at.timestamp()
    operation_type, _, model = name.partition(":")
    results = [Result(seconds, seconds - duration_s, kind, duration_s)] * times
    with transaction.atomic():
        Fleet(max_breakers=10_000).observe({name: BreakerResults(operation_type, model, results)}, seconds)
    return Breaker.objects.get(name=name)


def opened(name: str, at: datetime) -> Breaker:
    return tell(name, "failure", 5, at)


def closed(name: str, at: datetime) -> Breaker:
    return tell(name, "success", 1, at)


def flapped(name: str, times: int, begun: datetime) -> Breaker:
    """Opened, probed and closed so often, an event a minute."""
    for turn in range(times):
        at = begun + timedelta(minutes=3 * turn)
        opened(name, at)
        tell(name, "success", 3, at + timedelta(minutes=1))
    return Breaker.objects.get(name=name)


def newest_event(name: str) -> BreakerEvent:
    return BreakerEvent.objects.filter(name=name).latest("sequence")


def follower(
    instance: str, now: datetime, event: BreakerEvent | None = None, after_ms: float = 12
) -> Follower:
    """One that is connected, and has applied `event` so long after it."""
    return Follower.objects.create(
        instance=instance,
        connected_at=now - timedelta(hours=1),
        seen_at=now,
        applied=event.sequence if event else 0,
        applied_at=event.at + timedelta(milliseconds=after_ms) if event else None,
    )
