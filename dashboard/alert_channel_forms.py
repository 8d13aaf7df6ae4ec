"""What an administrator is asked about a channel and a route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms

from featurememory.alerts.channels import SETTINGS, Setting
from featurememory.alerts.labels import Matcher, matchers_in
from featurememory.circuit_breaker.operator_actions import ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.models import AlertChannel, AlertRoute
from featurememory.models.alert import Severity


class CalmReasonForm(ReasonForm):
    """The reason stands last, and does not take the focus from what is asked first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs = {"rows": 2}

    def refuse(self, refused: ConfigurationError) -> None:
        """Beside the field that it is about."""
        field = str(refused.data["field"]).partition("[")[0].partition(".")[0]
        self.add_error(field if field in self.fields else None, str(refused))


class ChannelForm(CalmReasonForm):
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    is_enabled = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, kind: str, row: AlertChannel | None, *args: Any, **kwargs: Any) -> None:
        """`row` is the channel as it is; its secrets are not shown."""
        kept = {} if row is None else row.settings
        initial = {"name": row.name, "is_enabled": row.is_enabled} if row is not None else {}
        super().__init__(*args, initial=initial, **kwargs)
        self.settings = SETTINGS[kind]
        for each in self.settings:
            self.fields[each.name] = _field_of(each, kept.get(each.name))
        self.order_fields(["name", *(each.name for each in self.settings), "is_enabled", "reason"])

    @property
    def given(self) -> dict[str, Any]:
        """The settings as they were typed."""
        return {each.name: self.cleaned_data[each.name] for each in self.settings}

    @property
    def shown(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in ("name", *(each.name for each in self.settings)))


class RouteForm(CalmReasonForm):
    channel = forms.ModelChoiceField(AlertChannel.objects.all(), empty_label="Choose…")
    position = forms.IntegerField(
        min_value=0, max_value=10_000, initial=0, help_text="Routes are asked in this order."
    )
    severities = forms.MultipleChoiceField(
        choices=Severity.choices,
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 3}),
        help_text="None chosen: all.",
    )
    matchers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, all must fit: model=whisper, breaker=~text.*; none: all alerts.",
    )
    group_by = forms.CharField(
        required=False, help_text="Names of labels, separated by commas; empty: all alerts in one message."
    )
    group_wait_s = forms.FloatField(
        label="First message after (s)", initial=10, help_text="So that what comes along is in it."
    )
    group_interval_s = forms.FloatField(label="Changes at most every (s)", initial=60)
    repeat_s = forms.FloatField(
        label="Again every (s)", initial=14_400, help_text="While something fires that nobody acknowledged."
    )
    escalate_after_s = forms.FloatField(label="Escalate after (s)", required=False)
    escalate_to = forms.ModelChoiceField(
        AlertChannel.objects.exclude(kind=AlertChannel.Kind.ALERTMANAGER),
        required=False,
        empty_label="nobody",
    )
    send_resolved = forms.BooleanField(label="Tell when it is over", required=False, initial=True)
    continues = forms.BooleanField(label="Later routes are asked too", required=False)
    field_order = (
        "channel", "position", "severities", "matchers", "group_by", "group_wait_s", "group_interval_s", "repeat_s",
        "escalate_after_s", "escalate_to", "send_resolved", "continues", "reason",
    )  # fmt: skip
    _TICKS = ("send_resolved", "continues")

    def __init__(self, row: AlertRoute | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initial={} if row is None else _initial(row), **kwargs)

    def clean_matchers(self) -> list[dict[str, str]]:
        try:
            return [each.as_json() for each in matchers_in(self.cleaned_data["matchers"])]
        except ConfigurationError as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean_group_by(self) -> list[str]:
        return [each.strip() for each in self.cleaned_data["group_by"].split(",") if each.strip()]

    @property
    def given(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.cleaned_data.items() if name not in ("reason", "request_id")
        }

    @property
    def shown(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in self.fields if name not in (*self._TICKS, "reason", "request_id"))

    @property
    def ticks(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in self._TICKS)


def _initial(row: AlertRoute) -> dict[str, Any]:
    return {
        **{field.name: _plain(getattr(row, field.name)) for field in row._meta.concrete_fields},
        "matchers": "\n".join(str(Matcher.of(each)) for each in row.matchers),
        "group_by": ", ".join(row.group_by),
    }


def _plain(value: Any) -> Any:
    """60 rather than 60.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field_of(setting: Setting, value: Any) -> forms.Field:
    if setting.choices:
        return forms.ChoiceField(
            label=setting.title,
            choices=[(each, each) for each in setting.choices],
            initial=value or setting.default,
            help_text=setting.help,
        )
    is_kept = setting.is_secret and bool(value)
    return forms.CharField(
        label=setting.title,
        max_length=2_000,
        required=setting.is_needed and not is_kept,
        initial="" if setting.is_secret else _text(value) or setting.default,
        help_text="It is set; leave it empty to keep it." if is_kept else setting.help,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
        if setting.is_secret
        else forms.TextInput(attrs={"autocomplete": "off"}),
    )


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
