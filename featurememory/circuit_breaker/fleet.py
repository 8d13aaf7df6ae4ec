"""The breakers that the whole fleet shares: the plain machine, kept in one row each.

Whoever changes a breaker holds its row's lock; each transition gets a version, a number in the live sequence
and an event row in the same transaction, and is announced after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from featurememory import bus
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind
from featurememory.circuit_breaker.machine import BreakerMachine, BreakerStatus, Transition
from featurememory.errors import FeatureMemoryError, ValidationError
from featurememory.models import AuditEntry, Breaker, BreakerEvent
from featurememory.sequence import next_sequence_numbers

MAX_REASON = 1_000


class UnknownBreaker(FeatureMemoryError):
    """No breaker has this name; one comes into being with the first operation it covers."""

    code = "unknown_breaker"


@dataclass(slots=True)
class BreakerResults:
    """What became of one breaker's calls, and the (operation_type, model) of the first of them."""

    operation_type: str
    model: str
    results: list[tuple[float, float, Kind]] = field(default_factory=list)
    """(ended_at, started_at, kind): seconds since the Unix epoch by the caller's clock, and success or failure."""


class Fleet:
    """What ingestion tells the breakers; one per writer.

    Machines are kept between transactions and used again as long as their row's revision is the one they were
    written with.
    """

    def __init__(self, max_breakers: int) -> None:
        self._max_breakers = max_breakers
        self._kept: dict[str, tuple[Breaker, BreakerMachine]] = {}

    def observe(self, told: Mapping[str, BreakerResults], now: float) -> list[BreakerEvent]:
        """Feeds each named breaker its results, in the order they ended; inside the caller's transaction."""
        if not told:
            return []
        machines = self._lock(told)
        missing = {name: told[name] for name in sorted(told.keys() - machines.keys())}
        if missing:
            self._make(missing, now)
            machines |= self._lock(missing)
        moment = datetime.fromtimestamp(now, UTC)
        moved: list[tuple[Breaker, list[Transition]]] = []
        for name, (breaker, machine) in machines.items():
            transitions: list[Transition] = []
            for _, started_at, kind in sorted(told[name].results):
                transitions.extend(machine.observe(kind, started_at, now))
            _take_over(breaker, machine, transitions)
            breaker.last_result_at = moment
            moved.append((breaker, transitions))
        _save(breaker for breaker, _ in moved)
        return _record_events(moved)

    def forget(self) -> None:
        """After a transaction that was rolled back: what is kept has seen what never happened."""
        self._kept.clear()

    def announce(self, events: list[BreakerEvent]) -> None:
        """Lets the live bus know, after the commit."""
        if events:
            bus.announce(events[-1].sequence)

    def _lock(self, names: Iterable[str]) -> dict[str, tuple[Breaker, BreakerMachine]]:
        """The named breakers that are there, their rows locked in order."""
        wanted = list(names)
        stale = []
        found: dict[str, tuple[Breaker, BreakerMachine]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_LOCK.format(", ".join(["%s"] * len(wanted))) + _for_update(), wanted)
            revisions = cursor.fetchall()
        for name, revision in revisions:
            kept = self._kept.get(name)
            if kept is not None and kept[0].revision == revision:
                found[name] = kept
            else:
                stale.append(name)
        for breaker in Breaker.objects.filter(name__in=stale) if stale else ():
            found[breaker.name] = self._kept[breaker.name] = (breaker, machine_of(breaker))
        return dict(sorted(found.items()))

    def _make(self, firsts: Mapping[str, BreakerResults], now: float) -> None:
        """New rows, as many as there is room for."""
        room = self._max_breakers - Breaker.objects.count()
        if room < len(firsts):
            room += _drop_least_recently_used(len(firsts) - room)
            self.forget()
        moment = datetime.fromtimestamp(now, UTC)
        Breaker.objects.bulk_create(
            [
                Breaker(
                    name=name,
                    operation_type=first.operation_type,
                    model=first.model,
                    changed_at=moment,
                    created_at=moment,
                )
                for name, first in list(firsts.items())[: max(room, 0)]
            ],
            ignore_conflicts=True,
        )


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


def machine_of(breaker: Breaker) -> BreakerMachine:
    """The state machine as the row holds it."""
    config = BreakerConfig.from_mapping(breaker.config)
    return BreakerMachine.restore(config, breaker.machine) if breaker.machine else BreakerMachine(config)


def status_of(breaker: Breaker, now: datetime) -> BreakerStatus:
    """How the breaker stands at `now`; reading changes nothing."""
    return machine_of(breaker).status(now.timestamp())


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
        breaker = _locked([name]).get(name)
        if breaker is None:
            raise UnknownBreaker(f"There is no breaker {name!r}.", name=name)
        if request_id is not None and AuditEntry.objects.filter(request_id=request_id).exists():
            return breaker
        before = _for_audit(breaker)
        machine = machine_of(breaker)
        transitions = list(act(machine, moment.timestamp()))
        _take_over(breaker, machine, transitions)
        _save([breaker])
        events = _record_events([(breaker, transitions)], actor=actor, reason=reason)
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


def _locked(names: Iterable[str]) -> dict[str, Breaker]:
    rows = Breaker.objects.select_for_update().filter(name__in=list(names)).order_by("name")
    return {breaker.name: breaker for breaker in rows}


def _drop_least_recently_used(count: int) -> int:
    """Makes room by forgetting closed breakers nobody has used for longest; those open or forced stay."""
    idle = (
        Breaker.objects.filter(state=Breaker.State.CLOSED)
        .order_by("last_result_at")
        .values_list("pk", flat=True)
    )
    gone = list(idle[:count])
    Breaker.objects.filter(pk__in=gone).delete()
    return len(gone)


def _take_over(breaker: Breaker, machine: BreakerMachine, transitions: list[Transition]) -> None:
    breaker.machine = machine.snapshot()
    breaker.revision += 1
    if transitions:
        last = transitions[-1]
        status = machine.status(last.at)
        breaker.state, breaker.computed_state = status.state, status.computed_state
        breaker.epoch = status.epoch
        breaker.version += len(transitions)
        breaker.changed_at = datetime.fromtimestamp(last.at, UTC)


def _save(breakers: Iterable[Breaker]) -> None:
    changes = [
        (
            orjson.dumps(breaker.machine).decode(),
            breaker.state,
            breaker.computed_state,
            breaker.epoch,
            breaker.version,
            breaker.revision,
            _database_time(breaker.changed_at),
            _database_time(breaker.last_result_at),
            breaker.pk,
        )
        for breaker in breakers
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE, changes)


_LOCK = "SELECT name, revision FROM featurememory_breaker WHERE name IN ({}) ORDER BY name"

_SAVE = """
    UPDATE featurememory_breaker SET
        machine = %s, state = %s, computed_state = %s, epoch = %s, version = %s, revision = %s,
        changed_at = %s, last_result_at = %s
    WHERE id = %s
"""


def _for_update() -> str:
    return " FOR UPDATE" if connection.features.has_select_for_update else ""


def _database_time(moment: datetime | None) -> str | None:
    adapted: str | None = connection.ops.adapt_datetimefield_value(moment)
    return adapted


def _record_events(
    moved: Iterable[tuple[Breaker, list[Transition]]], *, actor: str = "", reason: str = ""
) -> list[BreakerEvent]:
    pending = [(breaker, index, each) for breaker, all_of_it in moved for index, each in enumerate(all_of_it)]
    if not pending:
        return []
    steps = {breaker.pk: 0 for breaker, _, _ in pending}
    for breaker, _, _ in pending:
        steps[breaker.pk] += 1
    events = []
    for number, (breaker, index, each) in zip(next_sequence_numbers(len(pending)), pending, strict=True):
        events.append(
            BreakerEvent(
                sequence=number,
                breaker=breaker,
                from_state=each.from_state,
                to_state=each.to_state,
                computed_state=each.computed_state,
                cause=each.cause,
                message=each.message,
                actor=actor,
                reason=reason,
                epoch=each.epoch,
                version=breaker.version - steps[breaker.pk] + index + 1,
                counts=dict(each.counts),
                retry_after_ms=each.retry_after_ms,
                at=datetime.fromtimestamp(each.at, UTC),
            )
        )
    BreakerEvent.objects.bulk_create(events)
    return events


def _for_audit(breaker: Breaker) -> dict[str, object]:
    return {
        "state": breaker.state,
        "computed_state": breaker.computed_state,
        "epoch": breaker.epoch,
        "version": breaker.version,
    }
