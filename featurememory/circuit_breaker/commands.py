"""What an operator, or a key with the scope `control`, does to a breaker: event and audit row in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from featurememory import bus
from featurememory.circuit_breaker.machine import BreakerMachine, Transition
from featurememory.circuit_breaker.storage import Moved, keep, locked_breaker, machine_of
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, Breaker

MAX_REASON = 1_000


def reset_breaker(name: str, *, actor: str, reason: str, request_id: UUID | None = None) -> Breaker:
    """Closes the breaker, empties its window and drops whatever an operator had laid over it."""
    return _command("reset", BreakerMachine.reset, name, actor, reason, request_id)


def force_open_breaker(name: str, *, actor: str, reason: str, request_id: UUID | None = None) -> Breaker:
    """Admits nothing until it is released or reset."""
    return _command("force_open", BreakerMachine.force_open, name, actor, reason, request_id)


def disable_breaker(name: str, *, actor: str, reason: str, request_id: UUID | None = None) -> Breaker:
    """Admits everything and computes nothing until it is released or reset."""
    return _command("disable", BreakerMachine.disable, name, actor, reason, request_id)


def release_breaker(name: str, *, actor: str, reason: str, request_id: UUID | None = None) -> Breaker:
    """Takes the operator's hand off: the computed state counts again."""
    return _command("release", BreakerMachine.release, name, actor, reason, request_id)


def _command(
    action: str,
    act: Callable[[BreakerMachine, float], Iterable[Transition]],
    name: str,
    actor: str,
    reason: str,
    request_id: UUID | None,
) -> Breaker:
    """One operator's act with event and audit row in one transaction; repeated with the same id it does nothing."""
    reason = _checked_reason(reason)
    moment = timezone.now()
    with transaction.atomic():
        breaker = locked_breaker(name)
        if request_id is not None and AuditEntry.objects.filter(request_id=request_id).exists():
            return breaker
        before = _for_audit(breaker)
        machine = machine_of(breaker)
        transitions = list(act(machine, moment.timestamp()))
        events = keep([Moved(breaker, machine, transitions)], actor=actor, reason=reason)
        AuditEntry.objects.create(
            at=moment,
            actor=actor,
            action=f"breaker.{action}",
            subject=name,
            reason=reason,
            before=before,
            after=_for_audit(breaker),
            request_id=request_id,
        )
    if events:
        bus.announce(events[-1].sequence)
    return breaker


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        message = "say why; it stands in the audit beside your name"
        raise ValidationError(
            "A reason is needed.", [{"field": "reason", "code": "missing", "message": message}]
        )
    if len(reason) > MAX_REASON or "\0" in reason:
        message = f"at most {MAX_REASON} characters, none of them U+0000"
        raise ValidationError(
            "The reason cannot be kept.", [{"field": "reason", "code": "too_long", "message": message}]
        )
    return reason


def _for_audit(breaker: Breaker) -> dict[str, object]:
    return {
        "state": breaker.state,
        "computed_state": breaker.computed_state,
        "epoch": breaker.epoch,
        "version": breaker.version,
    }
