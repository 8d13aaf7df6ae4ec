"""Alerts, their states and what happens to them, in the words that pages use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dashboard.words import Look, listed, plural
from featurememory.models import Alert

SEVERITIES = {
    "critical": Look("Critical", "stop", "bad", "somebody must act now"),
    "warning": Look("Warning", "warning", "warn", "somebody must look today"),
    "info": Look("Info", "info", "off", "to know of"),
}
STATES = {
    "pending": Look("Pending", "clock", "off", "holds, not long enough yet to fire"),
    "firing": Look("Firing", "bell", "bad", "holds, and nobody has it yet"),
    "acknowledged": Look("Acknowledged", "user", "warn", "holds, and somebody has it"),
    "resolved": Look("Resolved", "check", "ok", "over"),
}
SILENCED = Look("Silenced", "mute", "off", "a silence keeps it quiet")
INHIBITED = Look("Inhibited", "mute", "off", "a worse alert speaks for it")
NO_DATA = Look("No data", "unknown", "off", "the last evaluation found nothing to judge")
FAILED = Look("Not evaluated", "warning", "warn", "the last evaluation failed")
FLAPPING = Look("Flapping", "half", "warn", "comes and goes; it stays open until it is steady")
EVENTS = {
    "pending": Look("Began to hold", "clock", "off"),
    "firing": Look("Fired", "bell", "bad"),
    "acknowledged": Look("Acknowledged", "user", "warn"),
    "reopened": Look("Fires again", "bell", "bad"),
    "severity": Look("Severity changed", "warning", "warn"),
    "silenced": Look("Silenced", "mute", "off"),
    "unsilenced": Look("No longer silenced", "bell", "warn"),
    "inhibited": Look("Inhibited", "mute", "off"),
    "uninhibited": Look("No longer inhibited", "bell", "warn"),
    "flapping": Look("Flapping", "half", "warn"),
    "steady": Look("Steady again", "check", "ok"),
    "no_data": Look("No data", "unknown", "off"),
    "error": Look("Evaluation failed", "warning", "warn"),
    "data": Look("Data is back", "check", "ok"),
    "note": Look("Note", "info", "off"),
    "resolved": Look("Resolved", "check", "ok"),
}
RULE_KINDS = {
    "threshold": "Threshold",
    "change": "Rate of change",
    "absence": "Absence",
    "burn_rate": "Burn rate",
    "event": "State change",
}
_NAMES = {"critical": ("critical alert", ""), "warning": ("warning", ""), "info": ("notice", "")}


def how_many(alerts: Iterable[Alert]) -> str:
    """ "2 critical alerts and 1 warning"; empty for none."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for alert in alerts:
        counts[alert.severity] += 1
    return listed([plural(number, *_NAMES[each]) for each, number in counts.items() if number])


def labels_in_words(labels: Mapping[str, str]) -> str:
    """The values of what tells most, without their names: "text_to_audio, audioldm2"."""
    known = [labels[name] for name in ("breaker", "component", "operation_type", "model") if labels.get(name)]
    if labels.get("breaker"):
        known = [labels["breaker"]]
    return ", ".join(known) or ", ".join(f"{name} {value}" for name, value in sorted(labels.items()))


def value_in_words(value: float | None, unit: str = "") -> str:
    """Whole from a hundred on: "9,120 ms", "12.5 %"."""
    if value is None:
        return "–"
    return f"{value:,.0f} {unit}".strip() if abs(value) >= 100 else f"{value:,.4g} {unit}".strip()
