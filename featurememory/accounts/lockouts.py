"""Who is locked out after too many wrong passwords, from where and until when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction

from featurememory.audit import By, note, was_done
from featurememory.reasons import checked_reason

_LOOKED_AT = 1_000
"""Attempts; the newest count."""


@dataclass(frozen=True, slots=True)
class Lockout:
    username: str
    address: str
    failures: int
    until: datetime
    pk: int
    """Of one of its attempts: what a link names it by."""


def read_lockouts(now: datetime) -> list[Lockout]:
    """The one that lasts longest first. Each browser's failures are counted by themselves, and make one lockout."""
    rests = timedelta(hours=settings.AXES_COOLOFF_TIME)
    rows = AccessAttempt.objects.filter(attempt_time__gt=now - rests).order_by("-attempt_time")[:_LOOKED_AT]
    attempts = defaultdict(list)
    for row in rows:
        attempts[str(row.username), str(row.ip_address)].append(row)
    found = []
    for (username, address), theirs in attempts.items():
        failures = 0
        for row in theirs:  # the newest first: it is over once those that are left are too few
            failures += row.failures_since_start
            if failures >= settings.AXES_FAILURE_LIMIT:
                total = sum(each.failures_since_start for each in theirs)
                found.append(Lockout(username, address, total, row.attempt_time + rests, row.pk))
                break
    return sorted(found, key=lambda each: each.until, reverse=True)


def forget_old_attempts(now: datetime) -> None:
    """Those that count for no lockout any more: whoever guesses names would fill the table."""
    AccessAttempt.objects.filter(attempt_time__lt=now - timedelta(hours=settings.AXES_COOLOFF_TIME)).delete()


def release_lockout(lockout: Lockout, by: By) -> None:
    """They may try again at once."""
    reason = checked_reason(by.reason)
    with transaction.atomic():
        if was_done(by.request_id):
            return
        AccessAttempt.objects.filter(username=lockout.username, ip_address=lockout.address).delete()
        before = {
            "address": lockout.address,
            "failures": lockout.failures,
            "until": lockout.until.isoformat(),
        }
        note(by, "lockout.release", lockout.username, before, {}, reason=reason)
