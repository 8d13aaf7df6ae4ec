"""An operator's hand on patterns, and what follows for what was learned of them."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from featurememory.core import operator_actions as core
from featurememory.models import Pattern
from featurememory.optimization.upkeep import follow_patterns


def merge_pattern(id: int, into: int, *, actor: str, reason: str, request_id: UUID | None = None) -> Pattern:
    """As core's; what `id` taught goes into what is known of `into`."""
    with transaction.atomic():
        kept = core.merge_pattern(id, into, actor=actor, reason=reason, request_id=request_id)
        follow_patterns([id], timezone.now(), into, actor=actor, reason=reason)
    return kept


def remove_pattern(id: int, *, actor: str, reason: str, request_id: UUID | None = None) -> None:
    """As core's; what it taught stays in what is known in general."""
    with transaction.atomic():
        core.remove_pattern(id, actor=actor, reason=reason, request_id=request_id)
        follow_patterns([id], timezone.now(), actor=actor, reason=reason)
