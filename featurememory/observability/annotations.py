"""Writing beside the charts what happened outside: deploys and notes."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from featurememory.audit import By, note, was_done
from featurememory.errors import ConfigurationError, FeatureMemoryError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Annotation, AuditEntry
from featurememory.reasons import checked_reason

FURTHEST = timedelta(days=366)
"""How far ahead an annotation may lie."""
MAX_TEXT = 500


class UnknownAnnotation(FeatureMemoryError):
    code = "unknown_annotation"

    def __init__(self, id: int) -> None:
        super().__init__(f"No annotation has the id {id}.", id=id)


def write_annotation(
    text: str,
    *,
    actor: str,
    now: datetime,
    kind: str = Annotation.Kind.NOTE,
    at: datetime | None = None,
    until: datetime | None = None,
    operation_type: str = "",
    model: str = "",
    request_id: UUID | None = None,
) -> Annotation:
    """ConfigurationError names the field that makes no sense. Written again with the same `request_id` it is the same
    one."""
    text, at = text.strip(), at or now
    _check(text, kind, at, until, now)
    with transaction.atomic():
        be_alone_with(Lock.ANNOTATIONS)
        if request_id and (entry := AuditEntry.objects.filter(request_id=request_id).first()):
            return find_annotation(int(entry.after.get("id", 0)))
        row = Annotation.objects.create(
            kind=kind,
            text=text,
            at=at,
            until=until,
            operation_type=operation_type,
            model=model,
            actor=actor,
            created_at=now,
        )
        by = By(actor, "", now, request_id)
        note(by, "annotation.write", text, {}, {"id": row.pk, "kind": kind, "at": at.isoformat()})
    return row


def remove_annotation(
    id: int, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None
) -> None:
    """UnknownAnnotation where there is none, unless this very request removed it."""
    reason = checked_reason(reason)
    with transaction.atomic():
        be_alone_with(Lock.ANNOTATIONS)
        if was_done(request_id):
            return
        row = find_annotation(id)
        before = {"id": row.pk, "kind": row.kind, "at": row.at.isoformat(), "by": row.actor}
        note(By(actor, reason, now, request_id), "annotation.remove", row.text, before, {})
        row.delete()


def find_annotation(id: int) -> Annotation:
    row = Annotation.objects.filter(pk=id).first()
    if row is None:
        raise UnknownAnnotation(id)
    return row


def _check(text: str, kind: str, at: datetime, until: datetime | None, now: datetime) -> None:
    if not text or len(text) > MAX_TEXT:
        raise ConfigurationError(f"text must have 1 to {MAX_TEXT} characters.", field="text")
    if kind not in Annotation.Kind.values:
        raise ConfigurationError(f"kind must be one of {', '.join(Annotation.Kind.values)}.", field="kind")
    if max(at, until or at) > now + FURTHEST:
        raise ConfigurationError(f"at lies more than {FURTHEST.days} days ahead.", field="at")
    if until is not None and until <= at:
        raise ConfigurationError("until must be later than at; leave it out for a moment.", field="until")
