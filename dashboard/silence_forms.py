"""What an operator is asked before a silence is laid over alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms

from featurememory.alerts.labels import Labels, Matcher, Matchers, matchers_in, matchers_of
from featurememory.alerts.silences import Recurrence, check_span
from featurememory.errors import ConfigurationError
from featurememory.models import AlertSilence
from featurememory.reasons import MAX_REASON

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DURATIONS = (
    ("30", "30 minutes"),
    ("60", "1 hour"),
    ("240", "4 hours"),
    ("480", "8 hours"),
    ("1440", "1 day"),
    ("10080", "1 week"),
    ("", "until the moment below"),
)
_SHAPE = "%Y-%m-%d %H:%M"
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")


@dataclass(frozen=True, slots=True)
class SilenceValues:
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    recurrence: Recurrence | None


class SilenceForm(forms.Form):
    """Which alerts, when; what is wrong is said at its field."""

    matchers = forms.CharField(
        label="Which alerts",
        max_length=12_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
        help_text="One condition a line, all must fit: model=whisper, model!=whisper, model=~whisper.* Name and "
        "severity of an alert are its labels alertname and severity.",
        error_messages={"required": "Say which: one condition at least, like model=whisper."},
    )
    starts = forms.CharField(
        label="From",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "now", "autocomplete": "off"}),
        help_text="In UTC, like 2026-11-27 22:00; empty for now.",
    )
    minutes = forms.ChoiceField(label="For how long", choices=DURATIONS, required=False)
    ends = forms.CharField(
        label="Until",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="In UTC; only where no length is chosen.",
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="Only on",
        coerce=int,
        required=False,
        choices=tuple(enumerate(WEEKDAYS)),
        widget=forms.CheckboxSelectMultiple,
    )
    begin = forms.CharField(
        label="Window begins",
        required=False,
        max_length=5,
        widget=forms.TextInput(attrs={"placeholder": "22:30", "autocomplete": "off"}),
    )
    lasts = forms.IntegerField(label="Window lasts (minutes)", required=False)
    timezone = forms.CharField(label="Time zone", required=False, max_length=60, initial="UTC")

    def values(self, now: datetime) -> SilenceValues | None:
        """None where something is wrong, which the form then says."""
        if not self.is_valid():
            return None
        try:
            return self._values(self.cleaned_data, now)
        except ConfigurationError as wrong:
            self.refuse(wrong)
            return None

    def refuse(self, wrong: ConfigurationError) -> None:
        name = str(wrong.data.get("field", "")).split("[")[0]
        self.add_error(_FIELDS.get(name), str(wrong))

    def _values(self, given: Mapping[str, Any], now: datetime) -> SilenceValues:
        matchers = matchers_in(given["matchers"], least=1)
        starts_at = _moment(given["starts"], "starts_at") if given["starts"] else now
        if given["minutes"]:
            ends_at = starts_at + timedelta(minutes=int(given["minutes"]))
        else:
            ends_at = _moment(given["ends"], "ends_at")
        check_span(starts_at, ends_at, now)
        return SilenceValues(matchers, starts_at, ends_at, _recurrence(given))


class CommentForm(forms.Form):
    """Why; and the id by which a second submit of the same page is known and does nothing."""

    comment = forms.CharField(
        label="Why",
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
        help_text="Everybody sees it beside your name, as long as alerts are quiet.",
        error_messages={"required": "Say why; everybody sees it beside your name."},
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


def typed(row: AlertSilence) -> dict[str, Any]:
    """What a form shows of a silence that there is."""
    shown = {
        "matchers": "\n".join(str(each) for each in matchers_of(row.matchers)),
        "starts": f"{row.starts_at.astimezone(UTC):{_SHAPE}}",
        "minutes": "",
        "ends": f"{row.ends_at.astimezone(UTC):{_SHAPE}}",
    }
    if row.recurrence:
        recurrence = row.recurrence
        shown |= {"begin": recurrence["start"], "lasts": recurrence["minutes"]}
        shown |= {"weekdays": recurrence["weekdays"], "timezone": recurrence["timezone"]}
    return shown


def matchers_for(alerts: Iterable[Labels]) -> str:
    """Conditions that fit all of these, with one line for each label that all of them have."""
    all_labels = list(alerts)
    if not all_labels:
        return ""
    shared = [name for name in all_labels[0] if all(name in labels for labels in all_labels)]
    shared = [name for name in shared if name != "severity"]
    lines = []
    for name in sorted(shared, key=lambda name: (name != "alertname", name)):
        values = sorted({labels[name] for labels in all_labels})
        if len(values) == 1:
            matcher = Matcher(name, "=", values[0])
        else:
            matcher = Matcher(name, "=~", "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values))
        lines.append(str(matcher))
    return "\n".join(lines)


def _recurrence(given: Mapping[str, Any]) -> Recurrence | None:
    if not given["weekdays"] and not given["begin"] and given["lasts"] is None:
        return None
    return Recurrence.of(
        {
            "weekdays": given["weekdays"],
            "start": given["begin"],
            "minutes": given["lasts"],
            "timezone": given["timezone"] or "UTC",
        }
    )


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{name} must be a moment like 2026-11-27 22:00, in UTC.", field=name
        ) from None


_FIELDS = {
    "matchers": "matchers",
    "starts_at": "starts",
    "ends_at": "ends",
    "recurrence.weekdays": "weekdays",
    "recurrence.start": "begin",
    "recurrence.minutes": "lasts",
    "recurrence.timezone": "timezone",
}
