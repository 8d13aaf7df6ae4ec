"""Changing one layer of the breakers' settings: the form, and what a change would come to before it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Count
from django.http import QueryDict

from dashboard.breaker_layers import (
    GROUPS,
    SETTINGS,
    THRESHOLDS,
    HeldValue,
    Setting,
    flat,
    layers_under,
    resolve,
)
from featurememory.circuit_breaker.configuration import Layers, Scope, check_layer, touched_breakers
from featurememory.errors import ConfigurationError
from featurememory.models import AuditEntry, Breaker, BreakerConfiguration, Series

OFF = "off"
ALL = "*"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose settings: of all breakers, of an operation type, or of one breaker."""

    scope: Scope
    name: str = ""
    breaker: Breaker | None = None

    @property
    def words(self) -> str:
        if self.scope == Scope.DEFAULT:
            return "all breakers"
        return f"operation type {self.name}" if self.scope == Scope.OPERATION_TYPE else f"breaker {self.name}"


def find_subject(scope: Scope, name: str) -> Subject | None:
    """None where nobody has heard of it: a typing error sets nothing."""
    if scope == Scope.BREAKER:
        breaker = Breaker.objects.filter(name=name).first()
        return None if breaker is None else Subject(scope, name, breaker)
    if scope == Scope.OPERATION_TYPE:
        known = Breaker.objects.filter(operation_type=name), Series.objects.filter(operation_type=name)
        stored = BreakerConfiguration.objects.filter(scope=scope, name=name)
        return Subject(scope, name) if any(rows.exists() for rows in (*known, stored)) else None
    return Subject(scope)


@dataclass(frozen=True, slots=True)
class LastChange:
    at: datetime
    actor: str
    reason: str


class LayerSettings:
    """What one layer sets, and what it inherits; one query."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        rows = list(BreakerConfiguration.objects.all())
        self.layers = Layers(rows)
        self.values = self.layers.of(subject.scope, subject.name)
        self.inherited = resolve(layers_under(self.layers, subject.scope, subject.name, subject.breaker))
        self.row = next((row for row in rows if (row.scope, row.name) == (subject.scope, subject.name)), None)

    @property
    def sequence(self) -> int:
        """Of the last change; 0 where there was none."""
        return self.row.sequence if self.row else 0

    def last_change(self) -> LastChange | None:
        """One query."""
        if self.row is None:
            return None
        entry = AuditEntry.objects.filter(at=self.row.changed_at, action="breaker.configure").first()
        return None if entry is None else LastChange(entry.at, entry.actor, entry.reason)


class SettingsForm(forms.Form):
    """A field for each setting; an empty one inherits."""

    def __init__(self, layer: LayerSettings, data: QueryDict | None = None) -> None:
        super().__init__(data, initial=_as_typed(layer.values))
        self._layer = layer
        for setting in SETTINGS.values():
            self.fields[setting.field] = _form_field(setting)

    @property
    def groups(self) -> list[tuple[str, list[tuple[Setting, forms.BoundField, HeldValue]]]]:
        """For the page: each setting with its field and what it inherits."""
        inherited = self._layer.inherited
        return [
            (
                group.title,
                [(setting, self[setting.field], inherited[setting.name]) for setting in group.settings],
            )
            for group in GROUPS
        ]

    def values(self) -> dict[str, Any]:
        """What a valid form sets, as the layer keeps it. The health thresholds are set together: those left empty
        stay as they are inherited."""
        given = {
            name: _meant(setting, self.cleaned_data[setting.field])
            for name, setting in SETTINGS.items()
            if self.cleaned_data[setting.field] not in (None, "")
        }
        together = [name for name in SETTINGS if name.startswith(f"{THRESHOLDS}.")]
        if given.keys() & set(together):
            thresholds = {name: given.pop(name, self._layer.inherited[name].value) for name in together}
            given[THRESHOLDS] = {name.partition(".")[2]: value for name, value in thresholds.items()}
        return given

    def refuse(self, wrong: ConfigurationError) -> None:
        """Says what is wrong at the field that it is about."""
        about = [name for name in SETTINGS if name.partition(".")[0] == wrong.data.get("field")]
        named = [name for name in about if name in str(wrong)] or about
        self.add_error(SETTINGS[named[0]].field if named else None, str(wrong))


@dataclass(frozen=True, slots=True)
class Change:
    setting: Setting
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What new values of a layer come to: which settings change, and which of the breakers under it then differ."""

    changes: tuple[Change, ...]
    affected: tuple[str, ...]
    under: int

    @property
    def unaffected(self) -> int:
        return self.under - len(self.affected)


def propose(layer: LayerSettings, values: Mapping[str, Any]) -> Proposal:
    """ConfigurationError where the values, or what they make of any breaker, make no sense. It changes nothing."""
    scope, name = layer.subject.scope, layer.subject.name
    layers = Layers.stored()
    layers.set(scope, name, values)
    check_layer(layers, scope, name)
    under = list(touched_breakers(scope, name).only("name", "operation_type", "declared", "config"))
    affected = [
        breaker.name
        for breaker in under
        if layers.effective(breaker.operation_type, breaker.name, breaker.declared) != breaker.config
    ]
    return Proposal(tuple(_changes(layer, values)), tuple(affected), len(under))


def _changes(layer: LayerSettings, values: Mapping[str, Any]) -> Iterator[Change]:
    old, new = flat(layer.values), flat(values)
    for name, setting in SETTINGS.items():
        inherited = f"{layer.inherited[name].words}, inherited"
        before = setting.words(old[name]) if name in old else inherited
        after = setting.words(new[name]) if name in new else inherited
        if before != after or (name in old and name in new and old[name] != new[name]):
            yield Change(setting, before, after)


@dataclass(frozen=True, slots=True)
class Particular:
    """A more particular layer; `breakers` are those under it, `is_set` whether it sets anything."""

    name: str
    breakers: int
    is_set: bool


def operation_types(layers: LayerSettings) -> list[Particular]:
    """The types that breakers were first seen with; one query."""
    counted = dict(Breaker.objects.order_by().values_list("operation_type").annotate(Count("pk")))
    counted.pop("", None)
    return [
        Particular(name, number, bool(layers.layers.of(Scope.OPERATION_TYPE, name)))
        for name, number in sorted(counted.items())
    ]


class ThresholdField(forms.CharField):
    """A number, or OFF."""

    def clean(self, value: Any) -> float | str:
        text: str = super().clean(value).strip().lower()
        if text in ("", OFF):
            return text
        try:
            return float(text)
        except ValueError:
            raise forms.ValidationError(f"Give a number from 1 to 100, or “{OFF}”.") from None


def _form_field(setting: Setting) -> forms.Field:
    typed = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    if setting.kind == "whole":
        return forms.IntegerField(required=False, label=setting.title, widget=typed)
    if setting.kind == "number":
        return forms.FloatField(required=False, label=setting.title, widget=typed)
    if setting.kind == "threshold":
        return ThresholdField(required=False, label=setting.title, max_length=20)
    if setting.kind == "window":
        choices = [("", "as inherited"), ("count", "the last calls"), ("time", "the last seconds")]
        return forms.ChoiceField(required=False, label=setting.title, choices=choices)
    lines = forms.Textarea(attrs={"rows": 2, "autocomplete": "off"})
    return forms.CharField(required=False, label=setting.title, max_length=20_000, widget=lines)


def _meant(setting: Setting, given: Any) -> Any:
    """What was typed, as the configuration has it."""
    if setting.kind == "threshold" and given == OFF:
        return None
    if setting.kind == "names":
        names = [line.strip() for line in given.splitlines() if line.strip()]
        return [] if names == [ALL] else names
    return int(given) if setting.kind == "number" and given == int(given) else given


def _as_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody would have typed to set just this."""
    return {SETTINGS[name].field: _typed(value) for name, value in flat(values).items()}


def _typed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return "\n".join(value) or ALL
    if value is None:
        return OFF
    return int(value) if isinstance(value, float) and value == int(value) else value
