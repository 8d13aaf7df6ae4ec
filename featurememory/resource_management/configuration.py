"""Constraints and retention as administrators set them: checked together, audited, followed at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from featurememory.audit import was_done
from featurememory.models import AuditEntry, ResourceSettings
from featurememory.reasons import checked_reason
from featurememory.resource_management.constraints import ResourceConstraints
from featurememory.resource_management.retention import Retention


class Limits(NamedTuple):
    """What holds."""

    constraints: ResourceConstraints
    retention: Retention


def limits() -> Limits:
    """What holds now; one query."""
    row = ResourceSettings.objects.first()
    return checked_limits(row.constraints, row.retention) if row else checked_limits({}, {})


def checked_limits(constraints: Mapping[str, Any], retention: Mapping[str, Any]) -> Limits:
    """What these values, over the defaults, would set. ConfigurationError names the field that is wrong."""
    return Limits(ResourceConstraints.of(constraints), Retention.of(retention))


def set_limits(
    constraints: Mapping[str, Any],
    retention: Mapping[str, Any],
    *,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> Limits:
    """Replaces all that is set; what then holds. What is not named goes back to its default. A `request_id` given
    again does nothing. ConfigurationError names the field that is wrong."""
    reason = checked_reason(reason)
    wanted = checked_limits(constraints, retention)
    with transaction.atomic():
        row, _ = ResourceSettings.objects.select_for_update().get_or_create(
            pk=1, defaults={"changed_at": now}
        )
        if was_done(request_id):
            return checked_limits(row.constraints, row.retention)
        before = {"constraints": row.constraints, "retention": row.retention}
        row.constraints, row.retention, row.changed_at = dict(constraints), dict(retention), now
        row.save()
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="resources.configure",
            subject="constraints and retention",
            reason=reason,
            before=before,
            after={"constraints": row.constraints, "retention": row.retention},
            request_id=request_id,
        )
    return wanted
