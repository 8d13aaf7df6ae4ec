"""What an operator does to silences; what one covers is quiet at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from featurememory.alerts.acts import Act, alone_with_alerts
from featurememory.alerts.errors import UnknownSilence
from featurememory.alerts.labels import Matchers
from featurememory.alerts.silences import Recurrence, check_span
from featurememory.alerts.silencing import apply_silences
from featurememory.audit import was_done
from featurememory.errors import ConfigurationError
from featurememory.models import AlertSilence, AuditEntry
from featurememory.reasons import checked_reason


def find_silence(id: int) -> AlertSilence:
    row = AlertSilence.objects.filter(pk=id).first()
    if row is None:
        raise UnknownSilence(id)
    return row


def create_silence(
    matchers: Matchers,
    starts_at: datetime,
    ends_at: datetime,
    recurrence: Recurrence | None = None,
    *,
    comment: str,
    actor: str,
    now: datetime,
    request_id: UUID | None = None,
) -> AlertSilence:
    """ConfigurationError where it covers nothing on purpose, or its time makes no sense. Given again with the same
    `request_id` it is the same silence."""
    act = Act(actor, checked_reason(comment), now, request_id)
    _check(matchers, starts_at, ends_at, now)
    with alone_with_alerts():
        if request_id is not None and (entry := AuditEntry.objects.filter(request_id=request_id).first()):
            return find_silence(int(entry.after.get("id", 0)))
        row = AlertSilence.objects.create(
            matchers=[each.as_json() for each in matchers],
            starts_at=starts_at,
            ends_at=ends_at,
            recurrence=None if recurrence is None else recurrence.as_json(),
            comment=act.reason,
            created_by=actor,
            created_at=now,
        )
        act.note("silence.create", in_words(row), {}, {"id": row.pk, **_standing(row)})
        apply_silences(now)
    return row


def change_silence(
    id: int,
    matchers: Matchers,
    starts_at: datetime,
    ends_at: datetime,
    recurrence: Recurrence | None = None,
    *,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> AlertSilence:
    """As create_silence; one that is over stays as it was."""
    act = Act(actor, checked_reason(reason), now, request_id)
    _check(matchers, starts_at, ends_at, now)
    with alone_with_alerts():
        row = find_silence(id)
        if was_done(request_id):
            return row
        if row.ends_at <= now:
            raise ConfigurationError("silence is over already: create another.", field="ends_at")
        before = _standing(row)
        row.matchers = [each.as_json() for each in matchers]
        row.starts_at, row.ends_at = starts_at, ends_at
        row.recurrence = None if recurrence is None else recurrence.as_json()
        row.save()
        act.note("silence.change", in_words(row), before, _standing(row))
        apply_silences(now)
    return row


def end_silence(
    id: int, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None
) -> AlertSilence:
    """Before its time; what it covered is told of again. One that is over stays as it was."""
    act = Act(actor, checked_reason(reason), now, request_id)
    with alone_with_alerts():
        row = find_silence(id)
        if was_done(request_id) or row.ends_at <= now:
            return row
        before = _standing(row)
        row.starts_at, row.ends_at, row.ended_by = min(row.starts_at, now), now, actor
        row.save()
        act.note("silence.end", in_words(row), before, _standing(row))
        apply_silences(now)
    return row


def in_words(row: AlertSilence) -> str:
    """Its matchers, as people write them."""
    return ", ".join(f'{each["name"]}{each["operator"]}"{each["value"]}"' for each in row.matchers)


def _check(matchers: Matchers, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if not matchers:
        raise ConfigurationError("matchers must be one at least.", field="matchers")
    check_span(starts_at, ends_at, now)


def _standing(row: AlertSilence) -> Mapping[str, Any]:
    return {
        "matchers": row.matchers,
        "starts_at": row.starts_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
        "recurrence": row.recurrence,
    }
