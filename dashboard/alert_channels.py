"""Channels, routes and deliveries as pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import OuterRef, Subquery

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.words import Look, duration, listed
from featurememory.alerts.channels import SETTINGS, shown
from featurememory.models import AlertChannel, AlertDelivery, AlertHeartbeat, AlertRoute, AlertRule

DELIVERIES_SHOWN = 30

DELIVERY_STATES = {
    "delivered": Look("Delivered", "check", "ok"),
    "sending": Look("Being sent", "pulse", "ok"),
    "waiting": Look("Waits", "clock", "warn"),
    "failed": Look("Given up", "stop", "bad"),
}
OFF = Look("Off", "pause", "off")
UNUSED = Look("Nothing leads here", "unknown", "off")
UNTRIED = Look("Nothing sent yet", "unknown", "off")
FAILING = Look("Does not take it", "warning", "warn")
WORKS = Look("Works", "check", "ok")
KIND_WORDS = {
    "firing": "fires",
    "changed": "changed",
    "repeat": "still fires",
    "escalation": "escalated",
    "resolved": "is over",
    "test": "test",
}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    row: AlertDelivery

    @property
    def look(self) -> Look:
        return DELIVERY_STATES[self.row.state]

    @property
    def about(self) -> str:
        """What it was about, in words."""
        names = list(dict.fromkeys(str(each["name"]) for each in self.row.alerts))
        return f"{listed(names) or 'Alerts'}: {KIND_WORDS[self.row.kind]}"

    @property
    def may_come_again(self) -> bool:
        return self.row.state == AlertDelivery.State.WAITING


EXPORTED: Columns[AlertDelivery] = {
    "id": lambda row: row.pk,
    "created_at": lambda row: row.created_at,
    "channel": lambda row: row.channel_name,
    "kind": lambda row: row.kind,
    "alerts": lambda row: [each["name"] for each in row.alerts],
    "left_out": lambda row: row.left_out,
    "state": lambda row: row.state,
    "attempts": lambda row: row.attempts,
    "answer_status": lambda row: row.answer_status,
    "ended_at": lambda row: row.ended_at,
}
"""Not what was answered: that is not for everybody."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    channel: AlertChannel
    last: DeliveryRow | None
    routes: int

    @property
    def kind(self) -> str:
        return AlertChannel.Kind(self.channel.kind).label

    @property
    def look(self) -> Look:
        """What is most worth knowing of it."""
        if not self.channel.is_enabled:
            return OFF
        if self.channel.refresh_error or (self.last is not None and self.last.row.error):
            return FAILING
        if not self.routes:
            return UNUSED
        return UNTRIED if self.last is None else WORKS

    @property
    def settings(self) -> list[tuple[str, str]]:
        """For administrators; secrets are only said to be set."""
        values = shown(self.channel.kind, self.channel.settings)
        return [
            (each.title, ", ".join(value) if isinstance(value, list) else str(value))
            for each in SETTINGS[self.channel.kind]
            if (value := values.get(each.name))
        ]


EXPORTED_CHANNELS: Columns[ChannelRow] = {
    "name": lambda row: row.channel.name,
    "kind": lambda row: row.channel.kind,
    "is_enabled": lambda row: row.channel.is_enabled,
    "routes": lambda row: row.routes,
    "stands": lambda row: row.look.word,
    "last_told_at": lambda row: row.last.row.created_at if row.last else None,
    "last_state": lambda row: row.last.row.state if row.last else "",
    "changed_at": lambda row: row.channel.changed_at,
}
"""Not where they lead: that is for administrators."""


@dataclass(frozen=True, slots=True)
class RouteRow:
    route: AlertRoute

    @property
    def which(self) -> str:
        """Which alerts it takes, in words."""
        matchers = [f'{each["name"]}{each["operator"]}"{each["value"]}"' for each in self.route.matchers]
        told = [
            *(["Severity " + " or ".join(self.route.severities)] if self.route.severities else []),
            *matchers,
        ]
        if not self.route.severities:
            return f"Alerts with {' and '.join(matchers)}" if matchers else "All alerts"
        return " and ".join(told)

    @property
    def how(self) -> str:
        route = self.route
        if route.channel.kind == AlertChannel.Kind.ALERTMANAGER:
            return "At once; it groups and repeats by itself."
        grouped = f"by {listed(route.group_by, 10)}" if route.group_by else "all together"
        told = (
            f"Grouped {grouped}: after {_spell(route.group_wait_s)}, changes each {_spell(route.group_interval_s)}, "
            f"again each {_spell(route.repeat_s)}"
        )
        return told + (", and when it is over." if route.send_resolved else ", not when it is over.")

    @property
    def escalation(self) -> str:
        route = self.route
        if route.escalate_to is None or route.escalate_after_s is None:
            return ""
        return (
            f"To {route.escalate_to.name} where nobody acknowledges within {_spell(route.escalate_after_s)}."
        )


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    rows: Sequence[DeliveryRow]
    older: str
    """Where the list goes on, on another page; empty at its end."""


@dataclass(frozen=True, slots=True)
class HeartbeatRow:
    """The sign of life for somebody outside."""

    is_set_up: bool
    is_held_back: bool
    """Rules are not evaluated: silence is what it says then."""
    row: AlertHeartbeat | None

    @property
    def look(self) -> Look:
        if not self.is_set_up:
            return Look("Not set up", "unknown", "off")
        if self.is_held_back:
            return Look("Held back", "warning", "warn")
        if self.row is None or self.row.called_at is None:
            return Look("Not called yet", "clock", "off")
        return FAILING if self.row.error else WORKS


def list_channels() -> list[ChannelRow]:
    """Three queries."""
    newest = AlertDelivery.objects.filter(channel=OuterRef("pk")).order_by("-created_at").values("pk")[:1]
    channels = list(AlertChannel.objects.annotate(last=Subquery(newest)).prefetch_related("routes"))
    last = AlertDelivery.objects.in_bulk([each.last for each in channels if each.last])
    return [
        ChannelRow(each, DeliveryRow(last[each.last]) if each.last in last else None, len(each.routes.all()))
        for each in channels
    ]


def list_routes() -> list[RouteRow]:
    return [RouteRow(each) for each in AlertRoute.objects.select_related("channel", "escalate_to")]


def list_deliveries(before: datetime | None, channel: int | None = None) -> DeliveryLog:
    """The newest first."""
    rows = AlertDelivery.objects.order_by("-created_at", "-id")
    rows = rows if before is None else rows.filter(created_at__lt=before)
    found = list((rows if channel is None else rows.filter(channel=channel))[: DELIVERIES_SHOWN + 1])
    more = len(found) > DELIVERIES_SHOWN
    shown_rows = [DeliveryRow(each) for each in found[:DELIVERIES_SHOWN]]
    return DeliveryLog(shown_rows, shown_rows[-1].row.created_at.isoformat() if more else "")


def exported() -> Iterator[AlertDelivery]:
    """The newest; one query."""
    return AlertDelivery.objects.order_by("-created_at", "-id")[:MOST_ROWS].iterator(AT_ONCE)


def read_heartbeat(now: datetime) -> HeartbeatRow:
    evaluated = AlertRule.objects.filter(evaluated_at__gte=now - timedelta(minutes=1)).exists()
    return HeartbeatRow(
        settings.CONFIGURATION.heartbeat_url is not None, not evaluated, AlertHeartbeat.objects.first()
    )


def _spell(seconds: float) -> str:
    return duration(seconds * 1_000) if seconds else "0 s"
