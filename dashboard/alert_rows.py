"""Alerts as the list shows them: what calls for somebody first, the worst before the oldest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Self
from urllib.parse import urlencode

from django.db.models import Case, F, IntegerField, QuerySet, Value, When

from dashboard.alert_watch import RuleWatch, read_rule_watch
from dashboard.alert_words import (
    FAILED,
    FLAPPING,
    INHIBITED,
    NO_DATA,
    SEVERITIES,
    SILENCED,
    STATES,
    how_many,
    labels_in_words,
    value_in_words,
)
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.words import BREAKER_STATES, HEALTH, NOTHING, Look, duration, listed, plural
from featurememory.alerts.signals import SIGNALS
from featurememory.models import Alert, BreakerEvent, HealthTransition

MOST = 500
RESOLVED_FOR = timedelta(hours=6)
RESOLVED_SHOWN = 30
_RANK = {"critical": 0, "warning": 1, "info": 2}
BY_SEVERITY = Case(
    *(When(severity=severity, then=Value(rank)) for severity, rank in _RANK.items()),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What the reader wants to see; it stands in the address."""

    severity: str = ""
    text: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?severity=critical&text=whisper`; what makes no sense is left out."""
        severity = given.get("severity", "")
        return cls(
            severity if severity in SEVERITIES else "", given.get("text", "").replace("\0", "").strip()[:200]
        )

    @property
    def query(self) -> str:
        given = {"severity": self.severity, "text": self.text}
        return urlencode({key: value for key, value in given.items() if value})

    @property
    def is_set(self) -> bool:
        return bool(self.severity or self.text)

    def fits(self, alert: Alert) -> bool:
        if self.severity and alert.severity != self.severity:
            return False
        told = (alert.name, alert.summary, alert.acknowledged_by, *alert.labels.values())
        return any(self.text.casefold() in each.casefold() for each in told)


def _unit(alert: Alert) -> str:
    """Of its rule's signal."""
    signal = SIGNALS.get(alert.rule.signal) if alert.rule is not None else None
    return signal.unit if signal else ""


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert: Alert

    @property
    def severity(self) -> Look:
        return SEVERITIES[self.alert.severity]

    @property
    def state(self) -> Look:
        return STATES[self.alert.state]

    @property
    def about(self) -> str:
        """What it is about, for short."""
        return labels_in_words(self.alert.labels)

    @property
    def title(self) -> str:
        return f"{self.alert.name}: {self.about}" if self.about else self.alert.name

    @property
    def marks(self) -> list[Look]:
        """What is to be known beside its state."""
        alert = self.alert
        is_marked = (
            (SILENCED, alert.is_silenced and alert.is_open),
            (INHIBITED, alert.inhibited_by_id is not None and alert.is_open),
            (FLAPPING, alert.is_flapping),
            (NO_DATA, alert.data == Alert.Data.NO_DATA),
            (FAILED, alert.data == Alert.Data.ERROR),
        )
        return [look for look, is_so in is_marked if is_so]

    @property
    def since(self) -> datetime:
        return self.alert.fired_at or self.alert.started_at

    @property
    def lasted(self) -> str:
        """From when it held until it was over."""
        if self.alert.resolved_at is None:
            return NOTHING
        return duration((self.alert.resolved_at - self.alert.started_at).total_seconds() * 1_000)

    @property
    def value(self) -> str:
        return value_in_words(self.alert.value, _unit(self.alert))

    @property
    def peak(self) -> str:
        return value_in_words(self.alert.peak, _unit(self.alert))


EXPORTED: Columns[Alert] = {
    "id": lambda alert: alert.pk,
    "name": lambda alert: alert.name,
    "severity": lambda alert: alert.severity,
    "state": lambda alert: alert.state,
    "is_silenced": lambda alert: alert.is_silenced,
    "inhibited_by": lambda alert: alert.inhibited_by_id,
    "is_flapping": lambda alert: alert.is_flapping,
    "source": lambda alert: alert.source,
    "labels": lambda alert: alert.labels,
    "summary": lambda alert: alert.summary,
    "value": lambda alert: alert.value,
    "peak": lambda alert: alert.peak,
    "unit": _unit,
    "started_at": lambda alert: alert.started_at,
    "fired_at": lambda alert: alert.fired_at,
    "acknowledged_at": lambda alert: alert.acknowledged_at,
    "acknowledged_by": lambda alert: alert.acknowledged_by,
    "resolved_at": lambda alert: alert.resolved_at,
    "runbook_url": lambda alert: alert.runbook_url,
}
"""Of what is open and of what is over."""


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of one name in one section."""

    key: str
    name: str
    rows: tuple[AlertRow, ...]

    @property
    def severity(self) -> Look:
        return self.rows[0].severity


@dataclass(frozen=True, slots=True)
class LastChange:
    """What moved last in the installation: a breaker, or a component's health."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """All that the list shows. `total` counts the open alerts, whatever the filter."""

    firing: tuple[Group, ...]
    acknowledged: tuple[Group, ...]
    muted: tuple[Group, ...]
    pending: tuple[AlertRow, ...]
    resolved: tuple[AlertRow, ...]
    total: int
    shown_most: int
    watch: RuleWatch
    last_change: LastChange | None
    any_ever: bool

    @property
    def calling(self) -> int:
        """What the page's title counts."""
        return len(_rows(self.firing))

    @property
    def muted_number(self) -> int:
        return len(_rows(self.muted))

    @property
    def tone(self) -> str:
        if self.calling:
            return self.firing[0].severity.tone if self.firing[0].severity.tone != "off" else "ok"
        return "off" if self.watch.is_stale or not self.watch.enabled else "ok"

    @property
    def icon(self) -> str:
        return {"ok": "check", "warn": "warning", "bad": "stop", "off": "unknown"}[self.tone]

    @property
    def headline(self) -> str:
        if not self.calling:
            return self._quiet
        rows = _rows(self.firing)
        return f"{how_many(row.alert for row in rows)} {'fires' if len(rows) == 1 else 'fire'}"

    @property
    def _quiet(self) -> str:
        if self.watch.is_stale:
            return "What fires is unknown: rules are not evaluated"
        if not self.watch.enabled and not self.total:
            return "Nothing can fire: no rule is switched on"
        if self.acknowledged:
            return f"Nothing calls for anybody: {how_many(row.alert for row in _rows(self.acknowledged))} acknowledged"
        return "Nothing fires"

    @property
    def oldest(self) -> AlertRow | None:
        """That fires, and nobody has it."""
        return min(_rows(self.firing), key=lambda row: row.since, default=None)

    @property
    def who(self) -> str:
        """Who has what is open."""
        names = sorted({row.alert.acknowledged_by for row in _rows(self.acknowledged)})
        parts = []
        if names:
            held = plural(len(_rows(self.acknowledged)), "alert")
            parts.append(f"{listed(names)} {'has' if len(names) == 1 else 'have'} {held}")
        if self.calling:
            it = "it" if self.calling == 1 else f"{'the other ' if names else 'any of the '}{self.calling}"
            parts.append(f"{'nobody' if names else 'Nobody'} has {it} yet")
        return "; ".join(parts)


def read_board(chosen: Filter, now: datetime) -> Board:
    """Seven queries, however many alerts there are."""
    found = list(_not_over().select_related("inhibited_by")[: MOST + 1])
    alerts = found[:MOST]
    is_open = [alert for alert in alerts if alert.is_open]
    shown = [alert for alert in is_open if chosen.fits(alert)]
    loud = [alert for alert in shown if not alert.is_muted]
    resolved = Alert.objects.filter(state=Alert.State.RESOLVED)
    lately = resolved.filter(resolved_at__gt=now - RESOLVED_FOR).order_by("-resolved_at", "-pk")
    recent = [AlertRow(each) for each in lately[:RESOLVED_SHOWN] if chosen.fits(each)]
    return Board(
        firing=_grouped("firing", [each for each in loud if each.state == Alert.State.FIRING]),
        acknowledged=_grouped("acknowledged", [each for each in loud if each.state != Alert.State.FIRING]),
        muted=_grouped("muted", [each for each in shown if each.is_muted]),
        pending=tuple(AlertRow(each) for each in alerts if not each.is_open and chosen.fits(each)),
        resolved=tuple(recent),
        total=len(is_open),
        shown_most=MOST if len(found) > MOST else 0,
        watch=read_rule_watch(now),
        last_change=read_last_change(),
        any_ever=bool(is_open or recent) or resolved.exists(),
    )


def exported(chosen: Filter) -> Iterator[Alert]:
    """What fits of the worst that is not over; one query."""
    return filter(chosen.fits, _not_over()[:MOST_ROWS].iterator(AT_ONCE))


def _not_over() -> QuerySet[Alert]:
    """The worst first, then the oldest."""
    states = (Alert.State.FIRING, Alert.State.ACKNOWLEDGED, Alert.State.PENDING)
    alerts = Alert.objects.filter(state__in=states).select_related("rule")
    return alerts.order_by(BY_SEVERITY, F("fired_at").asc(nulls_last=True), "pk")


def worst_open(most: int) -> tuple[list[AlertRow], int]:
    """The worst of what is open and not muted, and how many more there are; two queries at most."""
    alerts = Alert.objects.filter(
        state__in=(Alert.State.FIRING, Alert.State.ACKNOWLEDGED), is_silenced=False, inhibited_by=None
    )
    order = Case(When(state=Alert.State.FIRING, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = [AlertRow(each) for each in alerts.order_by(order, BY_SEVERITY, "fired_at", "pk")[: most + 1]]
    more = alerts.count() - most if len(rows) > most else 0
    return rows[:most], more


def read_last_change() -> LastChange | None:
    """Two queries."""
    event, move = BreakerEvent.objects.first(), HealthTransition.objects.exclude(before="unknown").first()
    changes = []
    if event is not None:
        changes.append(LastChange(breaker_change(event), event.at))
    if move is not None:
        changes.append(LastChange(health_change(move), move.at))
    return max(changes, key=lambda each: each.at, default=None)


def breaker_change(event: BreakerEvent) -> str:
    by = f", by {event.actor}" if event.actor else ""
    return f"breaker {event.name}: {BREAKER_STATES[event.to_state].word.lower()}{by}"


def health_change(move: HealthTransition) -> str:
    name = "health" if move.component == "all" else move.component
    return f"{name}: {HEALTH[move.after].word.lower()}"


def _grouped(section: str, alerts: Sequence[Alert]) -> tuple[Group, ...]:
    """By name; groups and what is in them as the alerts come, the worst and oldest first."""
    place: dict[str, int] = {}
    for alert in alerts:
        place.setdefault(alert.name, len(place))
    ordered = sorted(alerts, key=lambda alert: place[alert.name])
    return tuple(
        Group(f"{section}-{rows[0].pk}", name, tuple(AlertRow(each) for each in rows))
        for name, rows in (
            (name, list(found)) for name, found in groupby(ordered, key=lambda each: each.name)
        )
    )


def _rows(groups: Iterable[Group]) -> list[AlertRow]:
    return [row for group in groups for row in group.rows]
