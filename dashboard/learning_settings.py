"""Changing how operation types are learned from: the form, and what a change would come to before it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any

from django import forms
from django.http import QueryDict

from dashboard.optimization_forms import MAX_TYPED, read_json
from dashboard.optimization_words import AIMS
from dashboard.words import share
from featurememory.errors import ConfigurationError
from featurememory.models import AuditEntry, LearningSettings, Series, Study
from featurememory.optimization.configuration import starting_anew
from featurememory.optimization.settings import Settings

OFF = "off"
ALL = "all operation types"


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    title: str
    meaning: str

    def words(self, value: Any) -> str:
        """A value as people read it."""
        if self.name == "aim":
            return AIMS[value] if value else "the score where there is one, else the duration"
        if self.name == "observe":
            return "yes" if value else "no"
        if self.name == "steps":
            return dumps(value, ensure_ascii=False, sort_keys=True) if value else "none"
        if self.name == "weight":
            return f"{value:g}"
        return OFF if value is None else share(value)


SETTINGS = {
    each.name: each
    for each in (
        Setting("aim", "Objective", "What outcomes are compared by. Another one begins anew."),
        Setting(
            "weight",
            "Weight of the score",
            "From 0 to 1, where score and duration count together; else unused.",
        ),
        Setting("control", "Control share", "Share of operations that stay on the baseline, from 0 to 1."),
        Setting(
            "unproven",
            "Unproven share",
            "Share of operations that may get parameters not yet known to be as good as the baseline, from 0 to 1.",
        ),
        Setting(
            "loss_budget",
            "Loss budget",
            "Share of all operations’ worth that trying may cost, from 0 to 1, or “off”.",
        ),
        Setting(
            "observe",
            "Learn from others, too",
            "Whether parameters that callers use without asking become candidates, once they were seen a few times.",
        ),
        Setting(
            "steps",
            "Small steps",
            "Which parameters may move around what works, as JSON: "
            '{"steps": {"low": 10, "high": 60, "step": 5}, "scheduler": {"choices": ["ddim", "dpm"]}}.',
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Inherited:
    words: str
    source: str


class LearningLayer:
    """What is set for an operation type, or with '' for all, and what it inherits; one query."""

    def __init__(self, operation_type: str) -> None:
        self.operation_type = operation_type
        rows = {each.operation_type: each for each in LearningSettings.objects.filter(
            operation_type__in={"", operation_type}
        )}  # fmt: skip
        self._row = rows.get(operation_type)
        self.values: Mapping[str, Any] = self._row.values if self._row else {}
        self._under: Mapping[str, Any] = rows[""].values if operation_type and "" in rows else {}

    @property
    def words(self) -> str:
        return f"operation type {self.operation_type}" if self.operation_type else ALL

    @property
    def seen(self) -> str:
        """What a form remembers, so that nobody overwrites unseen what another has set since."""
        return self._row.changed_at.isoformat() if self._row else ""

    def last_change(self) -> AuditEntry | None:
        """One query."""
        if self._row is None:
            return None
        return AuditEntry.objects.filter(at=self._row.changed_at, action="learning.configure").first()

    def inherited(self, setting: Setting) -> Inherited:
        if setting.name in self._under:
            return Inherited(setting.words(self._under[setting.name]), f"from {ALL}")
        value = getattr(Settings(), setting.name)
        return Inherited(setting.words(dict(value) if setting.name == "steps" else value), "the default")


def find_layer(operation_type: str) -> LearningLayer | None:
    """None where nobody has heard of the operation type: a typing error sets nothing."""
    known = (
        model.objects.filter(operation_type=operation_type) for model in (Study, Series, LearningSettings)
    )
    if operation_type and not any(rows.exists() for rows in known):
        return None
    return LearningLayer(operation_type)


class LearningSettingsForm(forms.Form):
    """A field for each setting; an empty one inherits."""

    aim = forms.ChoiceField(
        required=False,
        choices=[
            ("", "as inherited"),
            ("score", "the score"),
            ("duration", "the duration"),
            ("both", "both"),
        ],
    )
    weight = forms.FloatField(required=False, min_value=0, max_value=1)
    control = forms.FloatField(required=False, min_value=0, max_value=1)
    unproven = forms.FloatField(required=False, min_value=0, max_value=1)
    loss_budget = forms.CharField(required=False, max_length=30)
    observe = forms.ChoiceField(required=False, choices=[("", "as inherited"), ("yes", "yes"), ("no", "no")])
    steps = forms.CharField(
        required=False,
        max_length=MAX_TYPED,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(self, layer: LearningLayer, data: QueryDict | None = None) -> None:
        super().__init__(data, initial=_as_typed(layer.values))
        self._layer = layer
        for name, setting in SETTINGS.items():
            field = self.fields[name]
            field.label = setting.title
            if not isinstance(field, forms.ChoiceField) and name != "steps":
                field.widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    @property
    def rows(self) -> list[tuple[Setting, forms.BoundField, Inherited]]:
        """For the page: each setting with its field and what it inherits."""
        return [(each, self[each.name], self._layer.inherited(each)) for each in SETTINGS.values()]

    def clean_loss_budget(self) -> float | str:
        text: str = self.cleaned_data["loss_budget"].strip().lower()
        if text in ("", OFF):
            return text
        try:
            return float(text)
        except ValueError:
            raise forms.ValidationError(f"Give a number from 0 to 1, or “{OFF}”.") from None

    def clean_steps(self) -> Any:
        text = self.cleaned_data["steps"].strip()
        return read_json(text) if text else ""

    def values(self) -> dict[str, Any]:
        """What a valid form sets, as the layer keeps it."""
        given = {name: self.cleaned_data[name] for name in SETTINGS}
        values = {name: value for name, value in given.items() if value not in (None, "")}
        if values.get("loss_budget") == OFF:
            values["loss_budget"] = None
        if "observe" in values:
            values["observe"] = values["observe"] == "yes"
        return values

    def refuse(self, wrong: ConfigurationError) -> None:
        """Says what is wrong at the field that it is about."""
        field = str(wrong.data.get("field", "")).partition(".")[0]
        self.add_error(field if field in SETTINGS else None, str(wrong))


@dataclass(frozen=True, slots=True)
class Change:
    setting: Setting
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LearningProposal:
    """What new values come to: which settings change, and which studies begin anew by it."""

    changes: tuple[Change, ...]
    anew: tuple[Study, ...]

    @property
    def forgotten(self) -> int:
        """Operations that were learned from."""
        return sum(study.operations for study in self.anew)


def propose(layer: LearningLayer, values: Mapping[str, Any]) -> LearningProposal:
    """ConfigurationError where the values make no sense. It changes nothing; three queries."""
    Settings.of(values)
    return LearningProposal(
        tuple(_changes(layer, values)), tuple(starting_anew(layer.operation_type, values))
    )


def operation_types() -> list[tuple[str, bool]]:
    """That are learned from, and whether they have settings of their own; two queries."""
    own = set(LearningSettings.objects.exclude(operation_type="").values_list("operation_type", flat=True))
    known = set(Study.objects.order_by().values_list("operation_type", flat=True).distinct())
    return [(name, name in own) for name in sorted(own | known)]


def _changes(layer: LearningLayer, values: Mapping[str, Any]) -> Iterator[Change]:
    for name, setting in SETTINGS.items():
        inherited = f"{layer.inherited(setting).words}, inherited"
        before = setting.words(layer.values[name]) if name in layer.values else inherited
        after = setting.words(values[name]) if name in values else inherited
        if before != after:
            yield Change(setting, before, after)


def _as_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody would have typed to set just this."""
    typed = {name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()}
    if "loss_budget" in values and values["loss_budget"] is None:
        typed["loss_budget"] = OFF
    if "observe" in values:
        typed["observe"] = "yes" if values["observe"] else "no"
    if "steps" in values:
        typed["steps"] = dumps(values["steps"], indent=2, ensure_ascii=False, sort_keys=True)
    return typed
