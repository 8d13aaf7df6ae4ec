"""What an operator, or a key with the scope `control`, does to a breaker: event and audit row in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from featurememory import bus
from featurememory.audit import was_done
from featurememory.circuit_breaker.machine import BreakerMachine, Transition
from featurememory.circuit_breaker.storage import Moved, keep, lock_breaker, machine_of
from featurememory.errors import FeatureMemoryError, ValidationError
from featurememory.models import AuditEntry, Breaker
from featurememory.reasons import checked_reason


class EpochPassed(FeatureMemoryError):
    """The breaker has moved since the epoch that the command was meant for."""

    code = "epoch_passed"

    def __init__(self, name: str, expected: int, found: int) -> None:
        super().__init__(
            f"Breaker {name!r} is in epoch {found} by now, not in {expected}: look at it again, and repeat the "
            "command with that epoch or without any.",
            name=name,
            expected=expected,
            found=found,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """Who gives a command, why, and how.

    `until` ends what is laid over the breaker. Given again with the same `request_id` a command does nothing; given
    for an `expected_epoch` that has passed it is refused (EpochPassed).
    """

    actor: str
    reason: str
    until: datetime | None = None
    request_id: UUID | None = None
    expected_epoch: int | None = None


class Effect(NamedTuple):
    """What came of a command. Connected processes were told of it at once where `was_handed_on`; else they find it
    when they next look. What changed nothing need not be handed on."""

    breaker: Breaker
    was_handed_on: bool


def reset_breaker(name: str, order: Order) -> Effect:
    """Closes the breaker, empties its window and drops whatever an operator had laid over it."""
    return _command("reset", lambda machine, now, _: machine.reset(now), name, order)


def force_open_breaker(name: str, order: Order) -> Effect:
    """Admits nothing until it is released or reset, or until the end that the order gives."""
    return _command("force_open", BreakerMachine.force_open, name, order)


def disable_breaker(name: str, order: Order) -> Effect:
    """Admits everything and computes nothing until it is released or reset, or until the end that the order gives."""
    return _command("disable", BreakerMachine.disable, name, order)


def only_measure_breaker(name: str, order: Order) -> Effect:
    """Admits everything and shows what it would have done, until it is released or reset, or until the end that the
    order gives."""
    return _command("metrics_only", BreakerMachine.only_measure, name, order)


def release_breaker(name: str, order: Order) -> Effect:
    """Takes the operator's hand off: the computed state counts again."""
    return _command("release", lambda machine, now, _: machine.release(now), name, order)


def _command(
    action: str,
    act: Callable[[BreakerMachine, float, float | None], Sequence[Transition]],
    name: str,
    order: Order,
) -> Effect:
    reason, moment = checked_reason(order.reason), timezone.now()
    until = checked_end(order.until, moment)
    with transaction.atomic():
        breaker = lock_breaker(name)
        if was_done(order.request_id):
            return Effect(breaker, was_handed_on=True)
        if order.expected_epoch not in (None, breaker.epoch):
            raise EpochPassed(name, int(order.expected_epoch or 0), breaker.epoch)
        before = _for_audit(breaker)
        machine = machine_of(breaker)
        transitions = act(machine, moment.timestamp(), until)
        events = keep([Moved(breaker, machine, transitions)], actor=order.actor, reason=reason)
        AuditEntry.objects.create(
            at=moment,
            actor=order.actor,
            action=f"breaker.{action}",
            subject=name,
            reason=reason,
            before=before,
            after=_for_audit(breaker),
            request_id=order.request_id,
        )
    return Effect(breaker, not events or bus.announce(events[-1].sequence))


def checked_end(until: datetime | None, now: datetime) -> float | None:
    """In seconds since the Unix epoch; ValidationError where it has passed already."""
    if until is not None and until <= now:
        message = "give a moment that is still to come, or none"
        raise ValidationError("The end has passed.", [{"field": "until", "code": "past", "message": message}])
    return None if until is None else until.timestamp()


def _for_audit(breaker: Breaker) -> dict[str, Any]:
    return {
        "state": breaker.state,
        "computed_state": breaker.computed_state,
        "until": breaker.machine.get("overlay_until") if breaker.machine else None,
        "epoch": breaker.epoch,
        "version": breaker.version,
    }
