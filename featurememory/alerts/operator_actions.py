"""What an operator does to alerts: take them, give them back, close them, say something of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid5

from featurememory.alerts.acts import Act, alone_with_alerts
from featurememory.alerts.errors import UnknownAlert
from featurememory.models import Alert, AlertEvent, AuditEntry
from featurememory.reasons import checked_reason

_State, _Kind = Alert.State, AlertEvent.Kind


@dataclass(frozen=True, slots=True)
class Acted:
    """`alerts` are as they were asked for, also where an earlier submit did it; `passed_over` are those that the act
    does not suit: they were left alone."""

    alerts: tuple[Alert, ...]
    passed_over: tuple[Alert, ...] = ()


class Doing(Protocol):
    """One of the functions below."""

    def __call__(
        self, ids: Iterable[int], *, actor: str, note: str, now: datetime, request_id: UUID | None = None
    ) -> Acted: ...


def acknowledge(
    ids: Iterable[int], *, actor: str, note: str, now: datetime, request_id: UUID | None = None
) -> Acted:
    """They are this actor's: nobody is told again until one is worse or fires anew. Of one that somebody has already
    only the note is kept."""

    def take(alert: Alert) -> AlertEvent.Kind | None:
        if alert.state == _State.ACKNOWLEDGED:
            return _Kind.NOTE
        if alert.state != _State.FIRING:
            return None
        alert.state = _State.ACKNOWLEDGED
        alert.acknowledged_at, alert.acknowledged_by = now, actor
        alert.acknowledged_severity = alert.severity
        return _Kind.ACKNOWLEDGED

    return _each("acknowledge", take, ids, actor, note, now, request_id)


def unacknowledge(
    ids: Iterable[int], *, actor: str, note: str, now: datetime, request_id: UUID | None = None
) -> Acted:
    """They fire again, and are told of again."""

    def give_back(alert: Alert) -> AlertEvent.Kind | None:
        if alert.state != _State.ACKNOWLEDGED:
            return None
        alert.state = _State.FIRING
        alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_severity = None, "", ""
        return _Kind.REOPENED

    return _each("unacknowledge", give_back, ids, actor, note, now, request_id)


def close(
    ids: Iterable[int], *, actor: str, note: str, now: datetime, request_id: UUID | None = None
) -> Acted:
    """They are resolved by hand. Where a rule still holds, it fires anew at its next evaluation."""

    def end(alert: Alert) -> AlertEvent.Kind | None:
        if not alert.is_open:
            return None
        alert.state, alert.resolved_at = _State.RESOLVED, now
        return _Kind.RESOLVED

    return _each("close", end, ids, actor, note, now, request_id)


def add_note(
    ids: Iterable[int], *, actor: str, note: str, now: datetime, request_id: UUID | None = None
) -> Acted:
    """Something to know of them, also of what is over."""
    return _each("note", lambda _: _Kind.NOTE, ids, actor, note, now, request_id)


def _each(
    slug: str,
    change: Callable[[Alert], AlertEvent.Kind | None],
    ids: Iterable[int],
    actor: str,
    note: str,
    now: datetime,
    request_id: UUID | None,
) -> Acted:
    """`change` alters an alert and says what happened to it; nothing where it does not suit."""
    act = Act(actor, checked_reason(note), now)
    wanted = list(dict.fromkeys(ids))
    with alone_with_alerts():
        found = Alert.objects.in_bulk(wanted)
        for id in wanted:
            if id not in found:
                raise UnknownAlert(id)
        ids_of_submits = {id: None if request_id is None else uuid5(request_id, str(id)) for id in wanted}
        done = _done(ids_of_submits.values())
        acted, passed_over = [], []
        for id in wanted:
            alert, submit = found[id], ids_of_submits[id]
            before = _standing(alert)
            kind = None if submit in done else change(alert)
            if submit not in done and kind is None:
                passed_over.append(alert)
                continue
            acted.append(alert)
            if kind is not None:
                alert.save()
                AlertEvent.objects.create(
                    alert=alert, kind=kind, at=now, actor=actor, note=act.reason, value=alert.value
                )
                act.note(f"alert.{slug}", f"{alert.pk} {alert.name}", before, _standing(alert), submit)
    return Acted(tuple(acted), tuple(passed_over))


def _done(submits: Iterable[UUID | None]) -> set[UUID | None]:
    known = [each for each in submits if each is not None]
    return set(AuditEntry.objects.filter(request_id__in=known).values_list("request_id", flat=True))


def _standing(alert: Alert) -> dict[str, str]:
    return {"state": alert.state, "acknowledged_by": alert.acknowledged_by}


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """An act as pages offer it."""

    slug: str
    verb: str
    """On the button."""
    consequence: str
    done: str
    """Completes "2 alerts ..."; {were} is "was" or "were"."""
    do: Doing
    is_harmful: bool = False

    def suits(self, alert: Alert) -> bool:
        return {
            "acknowledge": alert.state == _State.FIRING,
            "unacknowledge": alert.state == _State.ACKNOWLEDGED,
            "close": alert.is_open,
            "note": True,
        }[self.slug]


ACTIONS = {
    each.slug: each
    for each in (
        OperatorAction(
            "acknowledge",
            "Acknowledge",
            "It is yours: nobody is told of it again, until it is over or its severity rises.",
            "{were} acknowledged.",
            acknowledge,
        ),
        OperatorAction(
            "note",
            "Add note",
            "It stands in the log, and changes nothing.",
            "{were} given the note.",
            add_note,
        ),
        OperatorAction(
            "unacknowledge",
            "Give back",
            "It fires as before, and people are told of it again.",
            "{were} given back.",
            unacknowledge,
        ),
        OperatorAction(
            "close",
            "Close",
            "It is resolved by hand. If its rule still holds, it fires anew at the next evaluation: to keep it quiet, "
            "acknowledge or silence it instead.",
            "{were} closed.",
            close,
            is_harmful=True,
        ),
    )
}
