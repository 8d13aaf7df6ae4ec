"""Sending what was planned, each under a lease of its own.

At least once: a worker that is killed in mid-send leaves a lease behind, and once that has run out the delivery is
sent again, with the same id (`Message-ID`, `Idempotency-Key`, `X-FeatureMemory-Delivery`). A receiver that remembers
ids takes it once. What a channel is told of one group it is told in order: an end never overtakes its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from featurememory.alerts.messages import Answer, Message, Snapshot
from featurememory.alerts.retries import GIVEN_UP_AFTER, next_attempt
from featurememory.alerts.transports import send
from featurememory.audit import was_done
from featurememory.models import AlertChannel, AlertDelivery, AuditEntry
from featurememory.reasons import checked_reason

LEASE = timedelta(seconds=90)
"""Longer than any transport takes."""
AT_ONCE = 8
"""Channels that are sent to at the same time."""
STOPS_AFTER_S = 30.0
LOOKED_AT = 500
OPEN = (AlertDelivery.State.WAITING, AlertDelivery.State.SENDING)


class _Clock:
    """`now`, and what has passed since."""

    def __init__(self, now: datetime) -> None:
        self._now, self._began = now, time.monotonic()

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self._began

    def __call__(self) -> datetime:
        return self._now + timedelta(seconds=self.passed_s)


@dataclass(frozen=True, slots=True)
class _Leased:
    delivery: AlertDelivery
    channel: AlertChannel
    until: datetime


def deliver_due(now: datetime) -> int:
    """Sends what is due, to several channels at once and to each of them in order; how many attempts that were. A
    channel that does not take one is left alone until the next round, and holds up no other."""
    clock, attempts = _Clock(now), 0
    give_up_on_the_silent(now)
    channels = list(AlertChannel.objects.filter(is_enabled=True, deliveries__state__in=OPEN).distinct())
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="deliver") as pool:
        under_way: dict[Future[Answer], _Leased] = {}
        for channel in channels:
            if (leased := lease_next(channel, clock())) is not None:
                under_way[pool.submit(_send, leased)] = leased
        while under_way:
            ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                leased, answer = under_way.pop(future), future.result()
                attempts += 1
                settle(leased, answer, clock())
                if not answer.is_taken or clock.passed_s > STOPS_AFTER_S:
                    continue
                if (following := lease_next(leased.channel, clock())) is not None:
                    under_way[pool.submit(_send, following)] = following
    return attempts


def lease_next(channel: AlertChannel, now: datetime) -> _Leased | None:
    """The channel's oldest delivery that is due and is not behind another of its group; nobody else has it then."""
    for pk in _due(channel, now):
        until = now + LEASE
        free = Q(state=AlertDelivery.State.WAITING, next_attempt_at__lte=now) | Q(
            state=AlertDelivery.State.SENDING, leased_until__lte=now
        )
        taken = AlertDelivery.objects.filter(free, pk=pk).update(
            state=AlertDelivery.State.SENDING, leased_until=until, attempts=F("attempts") + 1
        )
        if taken:
            return _Leased(AlertDelivery.objects.get(pk=pk), channel, until)
    return None


def settle(leased: _Leased, answer: Answer, now: datetime) -> None:
    """Keeps what came of an attempt; nothing where the lease has run out and somebody else has it."""
    row = leased.delivery
    again = None
    if not answer.is_taken and row.kind != AlertDelivery.Kind.TEST:
        again = next_attempt(row.attempts, row.created_at, now, random(), answer.retry_after_s)  # noqa: S311 - jitter
    row.answer_status, row.answer, row.error = answer.status, answer.text, answer.error
    row.leased_until = None
    if again is not None:
        row.state, row.next_attempt_at = AlertDelivery.State.WAITING, again
    else:
        row.state = AlertDelivery.State.DELIVERED if answer.is_taken else AlertDelivery.State.FAILED
        row.ended_at = now
    AlertDelivery.objects.filter(pk=row.pk, leased_until=leased.until).update(
        state=row.state,
        next_attempt_at=row.next_attempt_at,
        ended_at=row.ended_at,
        leased_until=None,
        answer_status=row.answer_status,
        answer=row.answer,
        error=row.error,
    )


def give_up_on_the_silent(now: datetime) -> int:
    """Those of channels that are switched off or gone do not wait for ever."""
    reachable = Q(channel__is_enabled=True)
    old = AlertDelivery.objects.filter(state__in=OPEN, created_at__lt=now - GIVEN_UP_AFTER).exclude(reachable)
    return old.update(
        state=AlertDelivery.State.FAILED,
        ended_at=now,
        leased_until=None,
        error="Its channel was switched off.",
    )


def send_test(
    channel: AlertChannel, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None
) -> AlertDelivery:
    """Sends a test at once, and gives the delivery with what the receiver answered. Given again with the same
    `request_id` it sends none."""
    reason = checked_reason(reason)
    with transaction.atomic():
        if was_done(request_id):
            return AlertDelivery.objects.get(event_key=f"test:{request_id}")
        row = AlertDelivery.objects.create(
            channel=channel,
            channel_name=channel.name,
            kind=AlertDelivery.Kind.TEST,
            event_key=f"test:{request_id or uuid4()}",
            alerts=[dict(_test_alert(actor, now))],
            created_at=now,
            state=AlertDelivery.State.SENDING,
            attempts=1,
            next_attempt_at=now,
            leased_until=now + LEASE,
        )
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="channel.test",
            subject=channel.name,
            reason=reason,
            after={"delivery": str(row.pk)},
            request_id=request_id,
        )
    clock, leased = _Clock(now), _Leased(row, channel, now + LEASE)
    settle(leased, _send(leased), clock())
    return row


def _due(channel: AlertChannel, now: datetime) -> Iterator[UUID]:
    rows = AlertDelivery.objects.filter(channel=channel, state__in=OPEN).order_by("created_at", "pk")
    passed: set[tuple[int | None, str]] = set()
    for pk, route, key, state, next_at, leased_until in rows.values_list(
        "pk", "route_id", "group_key", "state", "next_attempt_at", "leased_until"
    )[:LOOKED_AT]:
        if (route, key) in passed:
            continue
        passed.add((route, key))
        is_waiting = state == AlertDelivery.State.WAITING
        if (next_at if is_waiting else leased_until or now) <= now:
            yield pk


def _send(leased: _Leased) -> Answer:
    """In a thread: touches no database."""
    row, channel = leased.delivery, leased.channel
    configuration = settings.CONFIGURATION
    message = Message(
        id=str(row.pk),
        channel=row.channel_name,
        kind=row.kind,
        alerts=row.alerts,
        created_at=row.created_at,
        address=configuration.address,
        group_key=row.group_key,
        group_labels=row.group_labels,
        left_out=row.left_out,
    )
    return send(channel.kind, channel.settings, message, configuration.private_targets)


def _test_alert(actor: str, now: datetime) -> Snapshot:
    """It ends by itself within a minute, for an Alertmanager too."""
    return Snapshot(
        id=0,
        status="firing",
        name="FeatureMemoryTest",
        severity="info",
        labels={"sent_by": actor},
        fingerprint="0" * 32,
        summary=f"{actor} tests whether this channel works. Nothing is wrong.",
        description="",
        runbook_url="",
        value=None,
        starts_at=now.isoformat(),
        ends_at=(now + timedelta(minutes=1)).isoformat(),
        is_acknowledged=False,
        is_flapping=False,
    )
