"""What all acts on alerts have in common: one at a time, and each in the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import AuditEntry

MAY_ACT = "featurememory.operate_alerts"
MAY_SET_RULES = "featurememory.operate_rules"


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, why, when; and the id by which a second submit is known."""

    actor: str
    reason: str
    now: datetime
    request_id: UUID | None = None

    def note(
        self,
        action: str,
        subject: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        request_id: UUID | None = None,
    ) -> None:
        """Its row of the audit; under an id of its own where one submit is several acts."""
        AuditEntry.objects.create(
            at=self.now,
            actor=self.actor,
            action=action,
            subject=subject[:500],
            reason=self.reason,
            before=before,
            after=after,
            request_id=request_id or self.request_id,
        )


@contextmanager
def alone_with_alerts() -> Iterator[None]:
    """A transaction beside which nobody else changes alerts, silences or rules."""
    with transaction.atomic():
        be_alone_with(Lock.ALERTS)
        yield
