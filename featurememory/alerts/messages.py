"""What is told, before any transport gives it its form: a subject, lines, and Alertmanager's webhook body. Plain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypedDict

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""Alertmanager's word for an end that is not known."""
MOST_LISTED = 20


class Snapshot(TypedDict):
    """An alert as it was when the message was made."""

    id: int
    status: str
    """`firing` or `resolved`."""
    name: str
    severity: str
    labels: dict[str, str]
    fingerprint: str
    summary: str
    description: str
    runbook_url: str
    value: float | None
    starts_at: str
    ends_at: str | None
    is_acknowledged: bool
    is_flapping: bool


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery on its way."""

    id: str
    channel: str
    kind: str
    alerts: Sequence[Snapshot]
    created_at: datetime
    address: str
    """Where this installation is."""
    group_key: str = ""
    group_labels: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    """Alerts beyond those."""

    @property
    def firing(self) -> list[Snapshot]:
        return [each for each in self.alerts if each["status"] == "firing"]

    @property
    def resolved(self) -> list[Snapshot]:
        return [each for each in self.alerts if each["status"] == "resolved"]

    @property
    def status(self) -> str:
        return "firing" if self.firing else "resolved"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `retry_after_s`: the receiver asks for that much time."""

    is_taken: bool
    status: int | None = None
    text: str = ""
    error: str = ""
    retry_after_s: float | None = None


def subject_of(message: Message) -> str:
    """In one line: what, how severe, how many."""
    words = {"escalation": "Nobody acknowledged: ", "repeat": "Still: ", "test": "Test: "}.get(
        message.kind, ""
    )
    about = message.firing or message.resolved
    names = list(dict.fromkeys(each["name"] for each in about))
    named = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "alerts"
    if not message.firing:
        return _line(f"{words}Resolved: {named}{_times(about)}")
    worst = next(
        each for each in ("critical", "warning", "info") if any(a["severity"] == each for a in about)
    )
    return _line(f"{words}{worst.capitalize()}: {named}{_times(about)}")


def lines_of(message: Message) -> list[str]:
    """What fires and what is over, a line each; many are counted."""
    lines = []
    for title, alerts in (("Firing", message.firing), ("Resolved", message.resolved)):
        if not alerts:
            continue
        lines.append(f"{title} ({len(alerts)}):")
        lines += [sentence_of(each) for each in alerts[:MOST_LISTED]]
        if len(alerts) > MOST_LISTED:
            severities = Counter(each["severity"] for each in alerts[MOST_LISTED:])
            lines.append(
                "and " + ", ".join(f"{number} {name}" for name, number in severities.items()) + " more"
            )
    if message.left_out:
        lines.append(f"and {message.left_out} more that were too many for one message")
    return lines


def sentence_of(alert: Snapshot) -> str:
    marks = [alert["severity"]]
    marks += ["acknowledged"] if alert["is_acknowledged"] else []
    marks += ["flapping"] if alert["is_flapping"] else []
    return _line(f"[{', '.join(marks)}] {alert['name']}: {alert['summary']}")


def webhook_body(message: Message) -> dict[str, Any]:
    """Alertmanager's webhook, version 4."""
    alerts = [_webhook_alert(each, message.address) for each in message.alerts]
    return {
        "version": "4",
        "groupKey": message.group_key or f"{{}}:{message.kind}",
        "truncatedAlerts": message.left_out,
        "status": message.status,
        "receiver": message.channel,
        "groupLabels": dict(message.group_labels),
        "commonLabels": _common(each["labels"] for each in alerts),
        "commonAnnotations": _common(each["annotations"] for each in alerts),
        "externalURL": message.address,
        "alerts": alerts,
    }


def alertmanager_alerts(
    alerts: Iterable[Snapshot], address: str, firing_until: datetime
) -> list[dict[str, Any]]:
    """As its API takes them; one that fires ends by itself unless it is heard of again."""
    return [
        {
            "labels": labels_of(each),
            "annotations": _annotations(each),
            "startsAt": each["starts_at"],
            "endsAt": each["ends_at"] or firing_until.isoformat(),
            "generatorURL": link_to(each, address),
        }
        for each in alerts
    ]


def labels_of(alert: Snapshot) -> dict[str, str]:
    return {**alert["labels"], "alertname": alert["name"], "severity": alert["severity"]}


def link_to(alert: Snapshot, address: str) -> str:
    return f"{address}/alerts/{alert['id']}/" if alert["id"] else f"{address}/alerts/"


def _webhook_alert(alert: Snapshot, address: str) -> dict[str, Any]:
    return {
        "status": alert["status"],
        "labels": labels_of(alert),
        "annotations": _annotations(alert),
        "startsAt": alert["starts_at"],
        "endsAt": alert["ends_at"] or ZERO_TIME,
        "generatorURL": link_to(alert, address),
        "fingerprint": alert["fingerprint"],
    }


def _annotations(alert: Snapshot) -> dict[str, str]:
    told = {
        "summary": alert["summary"],
        "description": alert["description"],
        "runbook_url": alert["runbook_url"],
        "acknowledged": "yes" if alert["is_acknowledged"] else "",
        "flapping": "yes" if alert["is_flapping"] else "",
    }
    return {name: text for name, text in told.items() if text}


def _common(every: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *others = [*every] or [{}]
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _times(alerts: Sequence[Snapshot]) -> str:
    return f" ({len(alerts)} alerts)" if len(alerts) > 1 else ""


def _line(text: str) -> str:
    return " ".join(text.split())
