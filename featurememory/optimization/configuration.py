"""How operation types are learned from, as administrators set it: checked as a whole, audited, followed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from json import loads
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.fields.json import KT

from featurememory.audit import was_done
from featurememory.models import AuditEntry, LearningSettings, PatternEvidence, Study
from featurememory.optimization.registry import studies
from featurememory.optimization.reward import Objective
from featurememory.optimization.settings import Settings
from featurememory.optimization.storage import settings_of
from featurememory.reasons import checked_reason


def configure_learning(
    operation_type: str,
    values: Mapping[str, Any],
    *,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> Settings:
    """Replaces what is set for an operation type ('' for all); what then holds. Studies whose objective it changes
    begin anew: rewards of two kinds cannot be compared. A `request_id` given again does nothing. ConfigurationError
    names the field that is wrong."""
    reason = checked_reason(reason)
    with transaction.atomic():
        Settings.of(values)
        row, _ = LearningSettings.objects.select_for_update().get_or_create(
            operation_type=operation_type, defaults={"changed_at": now}
        )
        if was_done(request_id):
            return settings_of(operation_type)
        before, row.values, row.changed_at = row.values, dict(values), now
        row.save()
        Settings.of(*(each.values for each in LearningSettings.objects.filter(operation_type="")), values)
        _follow(operation_type)
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="learning.configure",
            subject=operation_type or "all operation types",
            reason=reason,
            before=before,
            after=row.values,
            request_id=request_id,
        )
    return settings_of(operation_type)


def starting_anew(operation_type: str, values: Mapping[str, Any]) -> list[Study]:
    """The studies that would begin anew if these values were set for the operation type ('' for all), with their
    operations; two queries. ConfigurationError names the field that is wrong."""
    layers = dict(LearningSettings.objects.values_list("operation_type", "values"))
    layers[operation_type] = dict(values)
    rows = Study.objects.annotate(objective=KT("state__objective")).defer("state", "estimate")
    if operation_type:
        rows = rows.filter(operation_type=operation_type)
    return [
        row
        for row in rows
        if _is_another(
            Settings.of(layers.get("", {}), layers.get(row.operation_type, {})).objective,
            loads(row.objective) if row.objective else None,
        )
    ]


def _is_another(wanted: Objective | None, held: Sequence[Any] | None) -> bool:
    return wanted is not None and held is not None and list(wanted) != list(held)


def _follow(operation_type: str) -> None:
    """Has every process read the settings of these studies anew."""
    rows = Study.objects.select_for_update().defer("estimate").order_by("pk")
    if operation_type:
        rows = rows.filter(operation_type=operation_type)
    for study in rows:
        study.revision += 1
        study.reloaded_in = study.revision
        wanted = settings_of(study.operation_type).objective
        held = study.state.get("objective")
        if _is_another(wanted, held):
            PatternEvidence.objects.filter(study=study).delete()
            study.optimizations.all().delete()
            study.state, study.estimate, study.operations, study.estimate_at = {}, None, 0, 0
            study.estimated += 1
            _renumber(study)
        study.save()
    studies().forget(rows.values_list("pk", flat=True))


def _renumber(study: Study) -> None:
    """The learner begins with one arm: its parameter sets come back when they are asked for."""
    study.arms.exclude(number=0).update(number=None)
