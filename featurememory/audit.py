"""The audit: who did what and why; and whether an act was done before, which its row knows by the submit's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from featurememory.models import AuditEntry


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, why, and the id by which a second submit is known."""

    actor: str
    reason: str
    now: datetime
    request_id: UUID | None = None


def was_done(request_id: UUID | None) -> bool:
    """False without an id: then nothing tells a second submit from another act."""
    return request_id is not None and AuditEntry.objects.filter(request_id=request_id).exists()


def note(
    by: By,
    action: str,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    reason: str = "",
) -> None:
    """Its row; `reason` is the checked one where it differs from what was given."""
    AuditEntry.objects.create(
        at=by.now,
        actor=by.actor,
        action=action,
        subject=subject[:500],
        reason=reason or by.reason,
        before=dict(before),
        after=dict(after),
        request_id=by.request_id,
    )
