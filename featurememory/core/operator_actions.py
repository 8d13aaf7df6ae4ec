"""An operator's hand on patterns: each change with a reason, an audit row, and a revision that all processes follow.
Given again with the same `request_id` none of them does anything."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils import timezone

from featurememory.audit import was_done
from featurememory.core.errors import UnknownPattern
from featurememory.core.patterns import merged
from featurememory.core.storage import find_pattern, lock_space, read_plane, remove_patterns, value_of
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, FeatureSpace, Pattern
from featurememory.reasons import checked_reason

MAX_LABEL = 200


def change_pattern(
    id: int,
    *,
    actor: str,
    reason: str,
    label: str | None = None,
    pinned: bool | None = None,
    request_id: UUID | None = None,
) -> Pattern:
    """Names it, pins it (a pinned one never makes room for others) or lets it go again; None leaves as it is."""
    reason = checked_reason(reason)
    if label is not None and (len(label) > MAX_LABEL or not label.isprintable()):
        raise _refused("label", f"at most {MAX_LABEL} printable characters")
    with transaction.atomic():
        locked = _lock(id, request_id)
        if locked is None:
            return find_pattern(id)
        space, pattern = locked
        before = _for_audit(pattern)
        pattern.label = pattern.label if label is None else label.strip()
        pattern.pinned = pattern.pinned if pinned is None else pinned
        pattern.revision = space.revision
        pattern.save(update_fields=["label", "pinned", "revision"])
        _keep_revision(space)
        _audit(_Act("pattern.change", actor, reason, request_id), pattern, before, _for_audit(pattern))
    return pattern


def merge_pattern(id: int, into: int, *, actor: str, reason: str, request_id: UUID | None = None) -> Pattern:
    """Adds what `id` has seen to the pattern `into`, and removes it. Operations keep the pattern they were given."""
    reason = checked_reason(reason)
    if id == into:
        raise _refused("into", "another pattern than the one that goes")
    with transaction.atomic():
        locked = _lock(into, request_id)
        if locked is None:
            return find_pattern(into)
        space, kept = locked
        gone = find_pattern(id)
        if gone.space_id != kept.space_id:
            raise _refused("into", f"a pattern of the same feature space, {gone.space.name!r}")
        before = _for_audit(kept)
        whole = merged(value_of(kept), value_of(gone))
        kept.centroid, kept.count, kept.spread = whole.centroid.tobytes(), whole.count, whole.spread
        kept.x, kept.y = read_plane(space).places(whole.centroid[np.newaxis])[0].tolist()
        kept.visits, kept.seen_at, kept.pinned = whole.visits, whole.seen_at, whole.pinned
        kept.label = kept.label or gone.label
        kept.first_seen = min(kept.first_seen, gone.first_seen)
        kept.last_seen = max(kept.last_seen, gone.last_seen)
        kept.revision = space.revision
        kept.save()
        remove_patterns(space, [gone.pk])
        _keep_revision(space)
        before = {"into": before, "gone": _for_audit(gone)}
        _audit(_Act("pattern.merge", actor, reason, request_id), kept, before, _for_audit(kept))
    return kept


def remove_pattern(id: int, *, actor: str, reason: str, request_id: UUID | None = None) -> None:
    """Forgets it; inputs like it make a new one."""
    reason = checked_reason(reason)
    with transaction.atomic():
        locked = _lock(id, request_id)
        if locked is None:
            return
        space, pattern = locked
        remove_patterns(space, [pattern.pk])
        _keep_revision(space)
        _audit(_Act("pattern.remove", actor, reason, request_id), pattern, _for_audit(pattern), {})


def _lock(id: int, request_id: UUID | None) -> tuple[FeatureSpace, Pattern] | None:
    """The space, locked and in a new revision, and the pattern as it stands under that lock; None where the act was
    done before under the same id."""
    if was_done(request_id):
        return None
    space = lock_space(find_pattern(id).space.name)
    if was_done(request_id):  # while the lock was waited for
        return None
    pattern = Pattern.objects.filter(pk=id).first()
    if space is None or pattern is None:
        raise UnknownPattern(id)
    space.revision += 1
    return space, pattern


def _keep_revision(space: FeatureSpace) -> None:
    space.save(update_fields=["revision", "removed_in"])


def _for_audit(pattern: Pattern) -> dict[str, Any]:
    return {"label": pattern.label, "pinned": pattern.pinned, "count": pattern.count}


class _Act(NamedTuple):
    action: str
    actor: str
    reason: str
    request_id: UUID | None


def _audit(act: _Act, pattern: Pattern, before: dict[str, Any], after: dict[str, Any]) -> None:
    AuditEntry.objects.create(
        at=timezone.now(), subject=str(pattern.pk), before=before, after=after, **act._asdict()
    )


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError(
        f"The {field} cannot be taken.", [{"field": field, "code": "invalid", "message": message}]
    )
