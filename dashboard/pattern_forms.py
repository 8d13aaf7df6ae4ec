"""What an operator is asked before a pattern is changed, merged or forgotten."""

from __future__ import annotations

from typing import Any

from django import forms

from featurememory.circuit_breaker.operator_actions import ReasonForm
from featurememory.models import Pattern
from featurememory.models.pattern import PATTERNS_A_SPACE

_MAX_LABEL = 200


class ChangeForm(ReasonForm):
    label = forms.CharField(
        max_length=_MAX_LABEL,
        required=False,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text="What people call this kind of input; leave it empty to go by the number.",
    )
    pinned = forms.BooleanField(
        required=False, help_text="It then never makes room for others, however seldom it is seen."
    )
    field_order = ("label", "pinned", "reason")

    def clean_label(self) -> str:
        label: str = self.cleaned_data["label"]
        if not label.isprintable():
            raise forms.ValidationError("Use printable characters only.")
        return label


class MergeForm(ReasonForm):
    into = forms.CharField(
        label="Into pattern number",
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": "Give the number of the pattern that stays."},
    )
    field_order = ("into", "reason")

    def __init__(self, pattern: Pattern, *args: Any, **kwargs: Any) -> None:
        """`pattern` is the one that goes."""
        super().__init__(*args, **kwargs)
        self._pattern = pattern

    def clean_into(self) -> Pattern:
        """The pattern that stays."""
        into = find_by_number(self._pattern.space_id, self.cleaned_data["into"])
        if into is None:
            raise forms.ValidationError("There is no pattern of this number in this feature space.")
        if into.pk == self._pattern.pk:
            raise forms.ValidationError("This is the pattern that goes; choose another.")
        return into


def find_by_number(space_id: int, text: str) -> Pattern | None:
    """A pattern of the space, by its number there or by the id that the API uses."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    ids = (int(text), space_id * PATTERNS_A_SPACE + int(text))
    return Pattern.objects.defer("centroid").filter(space_id=space_id, pk__in=ids).first()
