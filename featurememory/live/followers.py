"""Which processes follow the breakers, and which of an operator's acts each has applied."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.utils import timezone

from featurememory.models import BreakerEvent, Follower

logger = logging.getLogger(__name__)

CONNECTED_WITHIN = timedelta(seconds=20)
"""A follower that no web process has vouched for since is gone."""
FORGOTTEN_AFTER = timedelta(hours=1)
WRITE_EVERY_S = 0.05


def note_connected(instance: str) -> datetime:
    """A stream of the named process begins; gives since when."""
    now = timezone.now()
    Follower.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    Follower.objects.update_or_create(instance=instance, defaults={"connected_at": now, "seen_at": now})
    return now


def note_polled(instance: str) -> None:
    """The named process has asked for news, and will again; before it is missed, it counts as connected all along."""
    now = timezone.now()
    if not Follower.objects.filter(instance=instance, seen_at__gte=now - CONNECTED_WITHIN).update(
        seen_at=now
    ):
        note_connected(instance)


def note_still_there(instances: Iterable[str], now: datetime) -> None:
    Follower.objects.filter(instance__in=list(instances)).update(seen_at=now)


def note_gone(instance: str, connected_at: datetime) -> None:
    """That stream is over; a newer one of the same process stays."""
    Follower.objects.filter(instance=instance, connected_at=connected_at).delete()


@dataclass(frozen=True, slots=True)
class Propagation:
    """How far one event has come among the processes that follow now."""

    connected: int
    applied: int
    slowest_ms: float | None
    """From the event to the last process that applied it; None before the first."""
    waiting: tuple[str, ...]
    """Those that have not, by name."""


def connected_followers(now: datetime) -> list[Follower]:
    """Those that follow now, by name; one query."""
    return list(Follower.objects.filter(seen_at__gte=now - CONNECTED_WITHIN).order_by("instance"))


def propagation_of(event: BreakerEvent, followers: Iterable[Follower]) -> Propagation:
    """Who of the connected `followers` has applied `event`, an operator's act; those that connected later knew it
    from the start."""
    applied: list[float] = []
    waiting: list[str] = []
    for follower in followers:
        if follower.connected_at > event.at:
            applied.append(0.0)
        elif follower.applied >= event.sequence and follower.applied_at is not None:
            applied.append((follower.applied_at - event.at).total_seconds() * 1_000)
        else:
            waiting.append(follower.instance)
    return Propagation(
        connected=len(applied) + len(waiting),
        applied=len(applied),
        slowest_ms=max(applied, default=None),
        waiting=tuple(waiting),
    )


class Acknowledgements:
    """What followers say they have applied, written down together by a thread: a hundred answer at once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()
        self._writing = False

    def take(self, instance: str, sequence: int) -> None:
        """Notes it now; it is written within WRITE_EVERY_S."""
        with self._lock:
            known = self._told.get(instance)
            if known is None or known[0] < sequence:
                self._told[instance] = (sequence, timezone.now())
            if self._writing:
                return
            self._writing = True
        threading.Timer(WRITE_EVERY_S, self._write).start()

    def _write(self) -> None:
        with self._lock:
            told, self._told = self._told, {}
            self._writing = False
        try:
            rows = list(Follower.objects.filter(instance__in=told))
            for row in rows:
                row.applied, row.applied_at = told[row.instance]
            Follower.objects.bulk_update(rows, ["applied", "applied_at"])
        except DatabaseError as failure:
            logger.warning("what %d followers applied could not be written: %s", len(told), failure)
        finally:
            connection.close()


ACKNOWLEDGEMENTS = Acknowledgements()
