"""All that the page of one alert shows, read at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse

from dashboard.alert_rows import AlertRow, breaker_change, health_change
from dashboard.alert_words import EVENTS
from dashboard.breaker_page import read_row
from dashboard.breaker_rows import BreakerRow
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.words import BREAKER_STATES, HEALTH, Look, spaced
from featurememory.alerts.operator_actions import ACTIONS, OperatorAction
from featurememory.models import (
    Alert,
    AlertEvent,
    AuditEntry,
    Breaker,
    BreakerEvent,
    HealthTransition,
    OptimizationEvent,
)
from featurememory.models.pattern import PATTERNS_A_SPACE

LOG_SHOWN = 100
BEFORE = timedelta(minutes=15)
AFTER = timedelta(minutes=1)
EACH_SHOWN, ALL_SHOWN = 10, 15
EXPORTED_LOG: Columns[AlertEvent] = {
    "id": lambda event: event.pk,
    "at": lambda event: event.at,
    "kind": lambda event: event.kind,
    "actor": lambda event: event.actor,
    "note": lambda event: event.note,
    "value": lambda event: event.value,
}
_ACT = Look("Act", "hand", "off")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of its log."""

    event: AlertEvent
    look: Look


@dataclass(frozen=True, slots=True)
class Before:
    """Something that changed just before it began."""

    at: datetime
    look: Look
    text: str
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class AlertPage:
    row: AlertRow
    actions: tuple[OperatorAction, ...]
    log: tuple[Entry, ...]
    before: tuple[Before, ...]
    breaker: BreakerRow | None
    again: int
    """How often the same was open before."""

    @property
    def alert(self) -> Alert:
        return self.row.alert


def read_alert_page(alert: Alert, now: datetime) -> AlertPage:
    """Seven queries, three more where it is about a breaker."""
    log = AlertEvent.objects.filter(alert=alert).order_by("-id")[:LOG_SHOWN]
    breaker = find_breaker_of(alert)
    return AlertPage(
        row=AlertRow(alert),
        actions=tuple(action for action in ACTIONS.values() if action.suits(alert)),
        log=tuple(Entry(each, EVENTS[each.kind]) for each in log),
        before=tuple(read_before(alert.started_at)),
        breaker=None if breaker is None else read_row(breaker, now),
        again=Alert.objects.filter(fingerprint=alert.fingerprint).exclude(pk=alert.pk).count(),
    )


def exported_log(alert: Alert) -> Iterator[AlertEvent]:
    """The newest of it; one query."""
    return AlertEvent.objects.filter(alert=alert).order_by("-id")[:MOST_ROWS].iterator(AT_ONCE)


def find_breaker_of(alert: Alert) -> Breaker | None:
    """By its label breaker, or by operation type and model."""
    labels = alert.labels
    if name := labels.get("breaker"):
        return Breaker.objects.filter(name=name).first()
    if labels.get("operation_type") and labels.get("model"):
        return Breaker.objects.filter(operation_type=labels["operation_type"], model=labels["model"]).first()
    return None


def read_before(at: datetime) -> list[Before]:
    """The latest first: breakers, health, what learning decided, and what people did. Four queries."""
    span = (at - BEFORE, at + AFTER)
    found = [
        *_breakers(span),
        *_health(span),
        *_optimizations(span),
        *_acts(span),
    ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:ALL_SHOWN]


def _breakers(span: tuple[datetime, datetime]) -> list[Before]:
    events = BreakerEvent.objects.filter(at__range=span, actor="").order_by("-sequence")[:EACH_SHOWN]
    return [
        Before(
            each.at,
            BREAKER_STATES[each.to_state],
            _begun(breaker_change(each)),
            each.message,
            reverse("breaker-event", args=[each.sequence]),
        )
        for each in events
    ]


def _health(span: tuple[datetime, datetime]) -> list[Before]:
    moves = HealthTransition.objects.filter(at__range=span).order_by("-id")[:EACH_SHOWN]
    return [
        Before(each.at, HEALTH[each.after], _begun(health_change(each)), each.reason, reverse("health"))
        for each in moves
    ]


def _optimizations(span: tuple[datetime, datetime]) -> list[Before]:
    moved = OptimizationEvent.objects.filter(at__range=span, actor="").exclude(cause="tried")
    events = moved.select_related("study", "arm").order_by("-id")
    return [
        Before(
            each.at,
            Look("Learning", "tune", "off"),
            f"{each.study}: parameter set {each.arm.number} from {each.before} to {each.after}",
            f"{f'in pattern {each.pattern % PATTERNS_A_SPACE}' if each.pattern else 'everywhere'}: "
            f"{spaced(each.cause)}",
            f"{reverse('optimizations')}?study={each.study_id}",
        )
        for each in events[:EACH_SHOWN]
    ]


def _acts(span: tuple[datetime, datetime]) -> list[Before]:
    entries = AuditEntry.objects.filter(at__range=span).exclude(action__startswith="alert.")
    return [
        Before(each.at, _ACT, f"{each.actor}: {each.action} {each.subject}", each.reason)
        for each in entries.order_by("-id")[:EACH_SHOWN]
    ]


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
