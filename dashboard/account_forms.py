"""What is asked about keys, people and oneself."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms

from dashboard.alert_channel_forms import CalmReasonForm
from dashboard.people_rows import ROLE_WORDS
from featurememory.accounts.keys import SCOPE_WORDS
from featurememory.roles import ROLES


class KeyForm(CalmReasonForm):
    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What the key is for; each has a name of its own.",
    )
    scopes = forms.MultipleChoiceField(
        choices=list(SCOPE_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=["ingest", "read"],
        error_messages={"required": "Choose what the key may do."},
    )
    field_order = ("name", "scopes", "reason")


class RoleForm(CalmReasonForm):
    role = forms.ChoiceField(choices=[(role, ROLE_WORDS[role]) for role in ROLES], widget=forms.RadioSelect)
    field_order: Iterable[str] | None = ("role", "reason")


class PersonForm(RoleForm):
    name = forms.CharField(
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text="They sign in with it: letters, digits and @ . + - _",
    )
    field_order = ("name", "role", "reason")


class EmailForm(forms.Form):
    email = forms.EmailField(
        label="E-mail",
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
