"""What processes tell of their own breakers: trips at once, and all that their breakers did while they were alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from featurememory import bus
from featurememory.circuit_breaker.storage import Moved, keep, lock_breaker, machine_of
from featurememory.models import Breaker, BreakerEvent, LocalTransition


@dataclass(frozen=True, slots=True)
class Told:
    """One transition of one process's own breaker; `number` is that process's count, `at` by its clock."""

    number: int
    breaker: str
    from_state: str
    to_state: str
    cause: str
    message: str
    at: datetime
    counts: Mapping[str, int]


def report_trip(name: str, instance: str, message: str, now: datetime, epoch: int | None = None) -> Breaker:
    """The breaker after `instance` has said that its own tripped; UnknownBreaker where there is none of the name."""
    with transaction.atomic():
        breaker = lock_breaker(name)
        machine = machine_of(breaker)
        events = keep([Moved(breaker, machine, machine.trip(instance, message, now.timestamp(), epoch))])
    _announce(events)
    return breaker


def remember_local_transitions(instance: str, told: Sequence[Told], now: datetime) -> None:
    """Keeps what a process's breakers did by themselves; what is known already changes nothing."""
    LocalTransition.objects.bulk_create(
        [
            LocalTransition(
                instance=instance,
                number=each.number,
                name=each.breaker,
                from_state=each.from_state,
                to_state=each.to_state,
                cause=each.cause,
                message=each.message,
                counts=dict(each.counts),
                at=each.at,
                received_at=now,
            )
            for each in told
        ],
        ignore_conflicts=True,
    )


def settle_due_breakers(now: datetime) -> int:
    """Ends overlays whose time is over and rounds of probes that nobody comes back to; gives how many it moved."""
    moved = 0
    for name in list(Breaker.objects.filter(due_at__lte=now).values_list("name", flat=True)):
        with transaction.atomic():
            breaker = lock_breaker(name)
            machine = machine_of(breaker)
            events = keep([Moved(breaker, machine, machine.settle(now.timestamp()))])
        _announce(events)
        moved += bool(events)
    return moved


def _announce(events: list[BreakerEvent]) -> None:
    if events:
        bus.announce(events[-1].sequence)
