"""What an alert rule is asked for: a field for each setting, those of all kinds together; each kind takes its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from dashboard.alert_words import RULE_KINDS
from featurememory.alerts.labels import matchers_in, matchers_of
from featurememory.alerts.rules import Rule
from featurememory.alerts.signals import SIGNALS
from featurememory.alerts.stored_rules import checked_rule
from featurememory.errors import ConfigurationError
from featurememory.models import AlertRule
from featurememory.models.alert import Severity

ASKED: Mapping[str, tuple[str, ...]] = {
    "threshold": ("operator", "threshold", "resolve_threshold", "window_s", "minimum_calls"),
    "change": ("operator", "percent", "window_s", "against", "minimum", "minimum_calls"),
    "absence": ("window_s",),
    "burn_rate": ("objective", "minimum"),
    "event": ("within_s", "times"),
}
"""By kind, the fields of its condition."""
_SCALARS = (
    "name",
    "kind",
    "signal",
    "for_s",
    "keep_firing_for_s",
    "no_data",
    "severity",
    "summary",
    "description",
)


def _number(label: str, help_text: str = "", *, required: bool = False) -> forms.FloatField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.FloatField(label=label, help_text=help_text, required=required, widget=widget)


class RuleForm(forms.Form):
    """`kind` decides which fields of a condition are asked for."""

    name = forms.CharField(max_length=100)
    signal = forms.ChoiceField(label="Signal")
    severity = forms.ChoiceField(choices=Severity.choices)
    operator = forms.ChoiceField(label="Fires", choices=(("above", "above"), ("below", "below")))
    threshold = _number("Threshold", "In the signal's own unit.", required=True)
    resolve_threshold = _number("Over again at", "Empty: at the threshold itself.")
    percent = _number("By more than, in percent", required=True)
    against = forms.ChoiceField(
        label="Against",
        choices=(
            ("before", "the window before"),
            ("day", "the last day"),
            ("week", "the last week"),
        ),
    )
    objective = _number("Objective", "The share of calls that must succeed, like 0.99.", required=True)
    within_s = _number("Within, in seconds")
    times = _number("At least so many times")
    window_s = _number("Over, in seconds", "How long the figure looks back.")
    minimum = _number("Minimum", "Figures below it do not count.")
    minimum_calls = _number("Minimum of calls", "A figure that rests on fewer says nothing.")
    matchers = forms.CharField(
        label="Only where",
        required=False,
        max_length=12_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text="One condition a line, like model=~whisper.*",
    )
    for_s = _number("Must hold for, in seconds")
    keep_firing_for_s = _number("Must be over for, in seconds")
    no_data = forms.ChoiceField(label="Without data it", choices=AlertRule.NoData)
    summary = forms.CharField(
        max_length=300, required=False, help_text="May name labels, {value} and {threshold}."
    )
    description = forms.CharField(required=False, max_length=5_000, widget=forms.Textarea(attrs={"rows": 3}))
    runbook_url = forms.CharField(label="Runbook", required=False, max_length=500)

    def __init__(self, kind: str, row: AlertRule | None = None, data: QueryDict | None = None) -> None:
        super().__init__(data, initial=_typed(row) if row is not None else {"severity": "warning"})
        self.kind, self._row = kind, row
        asked = ASKED[kind]
        for name in {name for names in ASKED.values() for name in names} - set(asked):
            del self.fields[name]
        signals = [
            (each.name, f"{each.title} ({each.unit})" if each.unit else each.title)
            for each in SIGNALS.values()
            if kind in each.kinds
        ]
        self.fields["signal"] = forms.ChoiceField(label="Signal", choices=signals)

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        asked = [self[name] for name in ASKED[self.kind]]
        return [
            ("What", [self[name] for name in ("name", "severity", "signal", "matchers")]),
            (f"Condition: {RULE_KINDS[self.kind].lower()}", asked),
            ("When", [self[name] for name in ("for_s", "keep_firing_for_s", "no_data")]),
            ("What it says", [self[name] for name in ("summary", "description", "runbook_url")]),
        ]

    def rule(self) -> Rule | None:
        """None where something is wrong, which the form then says."""
        if not self.is_valid():
            return None
        given = self.cleaned_data
        try:
            matchers = [each.as_json() for each in matchers_in(given["matchers"])]
            condition = {name: given[name] for name in ASKED[self.kind] if given[name] not in (None, "")}
            scalars = {name: given[name] for name in _SCALARS if given.get(name) not in (None, "")}
            kept = {"is_enabled": True, "labels": {}}
            if self._row is not None:
                kept = {"is_enabled": self._row.is_enabled, "labels": self._row.labels}
            return checked_rule(
                kept
                | scalars
                | {
                    "kind": self.kind,
                    "condition": condition,
                    "matchers": matchers,
                    "runbook_url": given["runbook_url"],
                }
            )
        except ConfigurationError as wrong:
            self.refuse(wrong)
            return None

    def refuse(self, wrong: ConfigurationError) -> None:
        name = str(wrong.data.get("field", "")).removeprefix("condition.").split("[")[0].split(".")[0]
        self.add_error(name if name in self.fields else None, str(wrong))


def _typed(row: AlertRule) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(row, name) for name in (*_SCALARS, "runbook_url")}
    condition: dict[str, Any] = row.condition
    return shown | condition | {"matchers": "\n".join(str(each) for each in matchers_of(row.matchers))}
