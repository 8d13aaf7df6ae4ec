"""An operator's hand on patterns: each change with a reason, an audit row, and a revision that all processes follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone

from featurememory.core.errors import UnknownPattern
from featurememory.core.patterns import merged
from featurememory.core.storage import find_pattern, lock_space, remove_patterns, value_of
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, FeatureSpace, Pattern
from featurememory.reasons import checked_reason

MAX_LABEL = 200


def change_pattern(
    id: int, *, actor: str, reason: str, label: str | None = None, pinned: bool | None = None
) -> Pattern:
    """Names it, pins it (a pinned one never makes room for others) or lets it go again; None leaves as it is."""
    reason = checked_reason(reason)
    if label is not None and (len(label) > MAX_LABEL or not label.isprintable()):
        raise _refused("label", f"at most {MAX_LABEL} printable characters")
    with transaction.atomic(), _locked(id) as (space, pattern):
        before = _for_audit(pattern)
        pattern.label = pattern.label if label is None else label.strip()
        pattern.pinned = pattern.pinned if pinned is None else pinned
        pattern.revision = space.revision
        pattern.save(update_fields=["label", "pinned", "revision"])
        _audit("pattern.change", pattern, actor, reason, before, _for_audit(pattern))
    return pattern


def merge_pattern(id: int, into: int, *, actor: str, reason: str) -> Pattern:
    """Adds what `id` has seen to the pattern `into`, and removes it. Operations keep the pattern they were given."""
    reason = checked_reason(reason)
    if id == into:
        raise _refused("into", "another pattern than the one that goes")
    with transaction.atomic(), _locked(into) as (space, kept):
        gone = find_pattern(id)
        if gone.space_id != kept.space_id:
            raise _refused("into", f"a pattern of the same feature space, {gone.space.name!r}")
        before = _for_audit(kept)
        whole = merged(value_of(kept), value_of(gone))
        kept.centroid, kept.count, kept.spread = whole.centroid.tobytes(), whole.count, whole.spread
        kept.visits, kept.seen_at, kept.pinned = whole.visits, whole.seen_at, whole.pinned
        kept.label = kept.label or gone.label
        kept.first_seen = min(kept.first_seen, gone.first_seen)
        kept.last_seen = max(kept.last_seen, gone.last_seen)
        kept.revision = space.revision
        kept.save()
        remove_patterns(space, [gone.pk])
        _audit(
            "pattern.merge", kept, actor, reason, {"into": before, "gone": _for_audit(gone)}, _for_audit(kept)
        )
    return kept


def remove_pattern(id: int, *, actor: str, reason: str) -> None:
    """Forgets it; inputs like it make a new one."""
    reason = checked_reason(reason)
    with transaction.atomic(), _locked(id) as (space, pattern):
        remove_patterns(space, [pattern.pk])
        _audit("pattern.remove", pattern, actor, reason, _for_audit(pattern), {})


@contextmanager
def _locked(id: int) -> Iterator[tuple[FeatureSpace, Pattern]]:
    """The pattern as it stands under its space's lock, and the space in a new revision, kept at the end."""
    space = lock_space(find_pattern(id).space.name)
    pattern = Pattern.objects.filter(pk=id).first()
    if space is None or pattern is None:  # gone while the lock was waited for
        raise UnknownPattern(id)
    space.revision += 1
    yield space, pattern
    space.save(update_fields=["revision", "removed_in"])


def _for_audit(pattern: Pattern) -> dict[str, Any]:
    return {"label": pattern.label, "pinned": pattern.pinned, "count": pattern.count}


def _audit(
    action: str, pattern: Pattern, actor: str, reason: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    AuditEntry.objects.create(
        at=timezone.now(),
        actor=actor,
        action=action,
        subject=str(pattern.pk),
        reason=reason,
        before=before,
        after=after,
    )


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError(
        f"The {field} cannot be taken.", [{"field": field, "code": "invalid", "message": message}]
    )
