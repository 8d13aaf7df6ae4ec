"""A lease on a job: whoever has it runs the job, and nobody else does at the same time.

It is short, and renewed while the run lasts: that of a worker which was killed runs out by itself.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import DatabaseError, connection
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from featurememory.models import Job
from featurememory.scheduling.due import LONGEST_RUN

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
RENEWED_EVERY_S = 10.0


def new_owner() -> str:
    """A name for one run, that says where it is: "host:pid/1f3a9c02"."""
    return f"{socket.gethostname()}:{os.getpid()}/{uuid4().hex[:8]}"


def take_lease(name: str, every: timedelta, owner: str, now: datetime, *, asked: bool) -> bool:
    """Whether `owner` may run the job, which then counts as started; one statement, three for a job's first run."""
    if _take(name, owner, now, asked=asked):
        return True
    missing = Job(name=name, every_s=every.total_seconds(), known_since=now)
    if Job.objects.filter(name=name).exists():
        return False
    Job.objects.bulk_create([missing], ignore_conflicts=True)
    return _take(name, owner, now, asked=asked)


def _take(name: str, owner: str, now: datetime, *, asked: bool) -> bool:
    cut_short = Case(When(lease_owner="", then=Value(0)), default=Value(1))
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    taken = Job.objects.filter(free, name=name).update(
        lease_owner=owner,
        leased_until=now + LEASE,
        started_at=now,
        was_asked_for=asked,
        interruptions=F("interruptions") + cut_short,
    )
    return taken > 0


def renew_lease(name: str, owner: str, now: datetime) -> bool:
    """False where it has run out and somebody else has it."""
    return Job.objects.filter(name=name, lease_owner=owner).update(leased_until=now + LEASE) > 0


@contextmanager
def lease_kept(name: str, owner: str) -> Iterator[None]:
    """Renews the lease from a thread until the block is left, for as long as a run may take at most."""
    over = threading.Event()
    renewal = threading.Thread(target=_renew, args=(name, owner, over), name=f"lease {name}", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        over.set()


def _renew(name: str, owner: str, over: threading.Event) -> None:
    renewals = int(LONGEST_RUN.total_seconds() / RENEWED_EVERY_S)
    try:
        while renewals and not over.wait(RENEWED_EVERY_S):
            renewals -= 1
            _renew_once(name, owner)
    finally:
        connection.close()


def _renew_once(name: str, owner: str) -> None:
    try:
        if not renew_lease(name, owner, timezone.now()):
            logger.warning("the lease on %s is lost: another worker may run it too", name)
    except DatabaseError as failure:
        logger.warning("the lease on %s could not be renewed: %s", name, failure)
        connection.close()
