"""Setting up who is told: audited, idempotent, checked before anything is stored. No secret reaches the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError

from featurememory.alerts.channels import audited, checked_settings, host_and_port
from featurememory.alerts.labels import matchers_of
from featurememory.alerts.targets import resolve
from featurememory.audit import By, note, was_done
from featurememory.errors import ConfigurationError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import AlertChannel, AlertDelivery, AlertRoute, AuditEntry
from featurememory.models.alert import Severity
from featurememory.reasons import checked_reason

PERMISSION: Final = "featurememory.manage_channels"
MAX_CHANNELS, MAX_ROUTES = 100, 200
_SECONDS: Final = {
    "group_wait_s": (0, 3_600),
    "group_interval_s": (5, 86_400),
    "repeat_s": (60, 2_592_000),
    "escalate_after_s": (30, 2_592_000),
}
"""The least and the most of each."""


def save_channel(
    row: AlertChannel | None, *, name: str, kind: str, given: Mapping[str, Any], is_enabled: bool, by: By
) -> AlertChannel:
    """Makes a channel, or changes `row`, whose kind stays. ConfigurationError names what is wrong; TargetRefused where
    it leads into a private network."""
    reason = checked_reason(by.reason)
    name = _checked_name(name, row)
    kind = kind if row is None else row.kind
    kept = checked_settings(kind, given, None if row is None else row.settings)
    host, port = host_and_port(kind, kept)
    resolve(host, port, settings.CONFIGURATION.private_targets, "host" if kind == "email" else "url")
    with transaction.atomic():
        be_alone_with(Lock.NOTIFICATION)
        if was_done(by.request_id):
            return AlertChannel.objects.filter(pk=_made(by)).first() or AlertChannel(name=name)
        if row is None and AlertChannel.objects.filter(name=name).exists():
            raise _wrong("name", "is taken by another channel")
        if row is None and AlertChannel.objects.count() >= MAX_CHANNELS:
            raise _wrong("name", f"cannot be added: there are {MAX_CHANNELS} channels, which is the most")
        before = {} if row is None else _told_channel(row)
        row = row or AlertChannel(kind=kind, created_at=by.now, created_by=by.actor)
        row.name, row.settings, row.is_enabled = name, kept, is_enabled
        row.changed_at, row.changed_by = by.now, by.actor
        row.save()
        act = "channel.change" if before else "channel.add"
        note(by, act, row.name, before, _told_channel(row), reason=reason)
    return row


def delete_channel(row: AlertChannel, *, by: By) -> None:
    """ConfigurationError while a route leads to it. What was told stays in the log."""
    reason = checked_reason(by.reason)
    with transaction.atomic():
        be_alone_with(Lock.NOTIFICATION)
        if was_done(by.request_id):
            return
        AlertDelivery.objects.filter(
            channel=row, state__in=(AlertDelivery.State.WAITING, AlertDelivery.State.SENDING)
        ).update(state=AlertDelivery.State.FAILED, ended_at=by.now, error="Its channel was deleted.")
        before = _told_channel(row)
        try:
            row.delete()
        except ProtectedError:
            raise _wrong("channel", "is in use: change or delete the routes that lead to it first") from None
        note(by, "channel.delete", before["name"], before, {}, reason=reason)


def save_route(row: AlertRoute | None, *, given: Mapping[str, Any], by: By) -> AlertRoute:
    """Makes a route, or changes `row`. `given` has the fields of AlertRoute, channels as rows. ConfigurationError names
    the field that is wrong."""
    reason = checked_reason(by.reason)
    values = checked_route(given)
    with transaction.atomic():
        be_alone_with(Lock.NOTIFICATION)
        if was_done(by.request_id):
            return AlertRoute.objects.filter(pk=_made(by)).first() or AlertRoute(**values)
        if row is None and AlertRoute.objects.count() >= MAX_ROUTES:
            raise _wrong("channel", f"cannot have another route: there are {MAX_ROUTES}, which is the most")
        before = {} if row is None else _told_route(row)
        row = row or AlertRoute()
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
        after = _told_route(row)
        note(by, "route.change" if before else "route.add", f"route {row.pk}", before, after, reason=reason)
    return row


def delete_route(row: AlertRoute, *, by: By) -> None:
    """Who was told by it hears of no end any more."""
    reason = checked_reason(by.reason)
    with transaction.atomic():
        be_alone_with(Lock.NOTIFICATION)
        if was_done(by.request_id):
            return
        before = _told_route(row)
        row.delete()
        note(by, "route.delete", f"route {before['id']}", before, {}, reason=reason)


def checked_route(given: Mapping[str, Any]) -> dict[str, Any]:
    """As a route is stored, what is left out by default."""
    values: dict[str, Any] = {
        "position": 0,
        "severities": [],
        "group_by": [],
        "group_wait_s": 10.0,
        "group_interval_s": 60.0,
        "repeat_s": 14_400.0,
        "escalate_after_s": None,
        "escalate_to": None,
        "send_resolved": True,
        "continues": False,
        **given,
    }
    values["matchers"] = [each.as_json() for each in matchers_of(given.get("matchers", []))]
    if not isinstance(values.get("channel"), AlertChannel):
        raise _wrong("channel", "is needed")
    if not isinstance(values["position"], int) or not 0 <= values["position"] <= 10_000:
        raise _wrong("position", "must be a whole number from 0 to 10,000")
    if unknown := set(values["severities"]) - set(Severity.values):
        raise _wrong("severities", f"has {min(unknown)!r}; there are {', '.join(Severity.values)}")
    if len(values["group_by"]) > 10 or not all(
        isinstance(each, str) and each.isidentifier() and len(each) <= 100 for each in values["group_by"]
    ):
        raise _wrong("group_by", "must be up to 10 names of labels: letters, digits and _")
    _check_times(values)
    return values


def _check_times(values: Mapping[str, Any]) -> None:
    for name, (least, most) in _SECONDS.items():
        value = values[name]
        if value is None and name == "escalate_after_s":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise _wrong(name, f"must be {least} to {most:,} seconds")
    to = values["escalate_to"]
    if (values["escalate_after_s"] is None) != (to is None):
        raise _wrong("escalate_to", "and the time after which it escalates go together: give both or neither")
    if to is not None and to.kind == AlertChannel.Kind.ALERTMANAGER:
        raise _wrong("escalate_to", "cannot be an Alertmanager: it escalates by its own routes")


def _made(by: By) -> int:
    """The id of what was made by the act that is submitted once more."""
    return int(AuditEntry.objects.get(request_id=by.request_id).after.get("id", 0))


def _checked_name(name: str, row: AlertChannel | None) -> str:
    name = name.strip()
    if not name or len(name) > 100 or any(ord(each) < 32 for each in name):
        raise _wrong("name", "must be 1 to 100 characters in one line")
    others = AlertChannel.objects.filter(name=name)
    if row is not None and others.exclude(pk=row.pk).exists():
        raise _wrong("name", "is taken by another channel")
    return name


def _told_channel(row: AlertChannel) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "settings": audited(row.kind, row.settings),
        "is_enabled": row.is_enabled,
    }


def _told_route(row: AlertRoute) -> dict[str, Any]:
    told = {
        field.name: getattr(row, field.name)
        for field in row._meta.concrete_fields
        if field.name not in ("channel", "escalate_to")
    }
    to = row.escalate_to
    return {**told, "channel": row.channel.name, "escalate_to": None if to is None else to.name}


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {message}.", field=where)
