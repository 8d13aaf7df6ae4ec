"""What an operator does to alert rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from featurememory.alerts.acts import Act, alone_with_alerts
from featurememory.alerts.errors import RuleMoved, UnknownRule
from featurememory.alerts.stored_rules import COLUMNS, values_of
from featurememory.audit import was_done
from featurememory.errors import ConfigurationError
from featurememory.models import Alert, AlertEvent, AlertRule, AuditEntry
from featurememory.reasons import checked_reason


def find_rule(id: int) -> AlertRule:
    row = AlertRule.objects.filter(pk=id).first()
    if row is None:
        raise UnknownRule(id)
    return row


def save_rule(
    values: Mapping[str, Any],
    *,
    id: int | None = None,
    version: int | None = None,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> AlertRule:
    """Creates a rule, or changes the one with this `id`; `values` are those of a checked `Rule`. RuleMoved where it is
    not at `version` any more. The open alerts of one that is switched off are over."""
    act = Act(actor, checked_reason(reason), now, request_id)
    with alone_with_alerts():
        if request_id is not None and (entry := AuditEntry.objects.filter(request_id=request_id).first()):
            return find_rule(int(entry.after.get("id", 0)))
        row = AlertRule(version=0) if id is None else find_rule(id)
        if version is not None and row.version != version:
            raise RuleMoved(row.pk, row.version)
        if AlertRule.objects.filter(name=values["name"]).exclude(pk=row.pk).exists():
            raise ConfigurationError(
                f"name {values['name']!r} is another rule's: choose another.", field="name"
            )
        before = {} if id is None else values_of(row)
        for name in COLUMNS:
            setattr(row, name, values[name])
        row.version += 1
        row.changed_at, row.changed_by, row.error = now, actor, ""
        row.save()
        after = values_of(row)
        differ = [name for name in COLUMNS if before.get(name) != after[name]]
        act.note(
            "rule.create" if id is None else "rule.change",
            row.name,
            {name: before[name] for name in differ if before},
            {"id": row.pk, **{name: after[name] for name in differ}},
        )
        if not row.is_enabled:
            _end_alerts(row, "Its rule was switched off.", actor, now)
    return row


def switch_rule(
    id: int, *, is_enabled: bool, version: int | None = None, actor: str, reason: str, now: datetime,
    request_id: UUID | None = None,
) -> AlertRule:  # fmt: skip
    """On or off, all else as it is."""
    values = values_of(find_rule(id)) | {"is_enabled": is_enabled}
    return save_rule(
        values, id=id, version=version, actor=actor, reason=reason, now=now, request_id=request_id
    )


def delete_rule(
    id: int,
    *,
    version: int | None = None,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> None:
    """Its open alerts are over; what it told before stays in the history. Rules that came with the installation are
    switched off instead."""
    act = Act(actor, checked_reason(reason), now, request_id)
    with alone_with_alerts():
        if was_done(request_id):
            return
        row = find_rule(id)
        if version is not None and row.version != version:
            raise RuleMoved(row.pk, row.version)
        if row.shipped_as:
            raise ConfigurationError(
                f"rule {row.name!r} came with the installation: switch it off (is_enabled) instead.",
                field="id",
            )
        _end_alerts(row, "Its rule was deleted.", actor, now)
        act.note("rule.delete", row.name, values_of(row), {})
        row.delete()


def _end_alerts(row: AlertRule, note: str, actor: str, now: datetime) -> None:
    alerts = list(row.alerts.exclude(state=Alert.State.RESOLVED))
    Alert.objects.filter(pk__in=[each.pk for each in alerts]).update(
        state=Alert.State.RESOLVED, resolved_at=now
    )
    AlertEvent.objects.bulk_create(
        AlertEvent(
            alert=each, kind=AlertEvent.Kind.RESOLVED, at=now, actor=actor, note=note, value=each.value
        )
        for each in alerts
    )
