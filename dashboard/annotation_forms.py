"""Writing an annotation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.utils import timezone

from featurememory.models import Annotation
from featurememory.observability.annotations import MAX_TEXT


class UtcField(forms.DateTimeField):
    """A moment as the browser's own field gives it, taken as UTC whatever time zone the server lives in."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            return super().to_python(value)


class AnnotationForm(forms.Form):
    """Moments are in UTC; without one it is about now."""

    kind = forms.ChoiceField(
        choices=[(each.value, each.label) for each in Annotation.Kind], initial=Annotation.Kind.NOTE
    )
    text = forms.CharField(
        max_length=MAX_TEXT,
        help_text="What happened, as it shall stand beside the charts.",
        error_messages={"required": "Say what happened."},
    )
    at = UtcField(required=False, label="When (UTC)", help_text="Now, where it is left empty.")
    until = UtcField(required=False, label="Until (UTC)", help_text="Of what lasts a while.")
    operation_type = forms.CharField(
        required=False, max_length=200, help_text="Where it is about one operation type alone."
    )
    model = forms.CharField(required=False, max_length=200)
    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
