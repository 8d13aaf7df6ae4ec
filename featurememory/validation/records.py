"""What was kept of validations, looked up."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from featurememory.models import ValidationRecord

RELATED_WITHIN = timedelta(hours=24)


def find_records(
    *,
    validator: str | None = None,
    source: str | None = None,
    is_valid: bool | None = None,
    code: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
) -> QuerySet[ValidationRecord]:
    """The newest first; everything given must hold. `before`: older than the record of this id."""
    named = {
        "validator": validator,
        "source": source,
        "is_valid": is_valid,
        "code": code,
        "at__gte": since,
        "pk__lt": before,
    }
    given = {name: value for name, value in named.items() if value is not None}
    return ValidationRecord.objects.filter(**given).order_by("-id")


def find_related(record: ValidationRecord) -> QuerySet[ValidationRecord]:
    """Others with the same code from the same source, within the 24 hours before it and after."""
    return (
        find_records(source=record.source, code=record.code, since=record.at - RELATED_WITHIN)
        .filter(at__lte=record.at + RELATED_WITHIN)
        .exclude(pk=record.pk)
    )
