"""Studies in the database: the plain study's snapshot in one row, a row for each pattern it knows, and what operators
see of them. Who changes a study holds its row's lock; numbers of the live sequence are taken after it."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from json import dumps, loads
from typing import Any, NamedTuple

from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import (
    Arm,
    LearningSettings,
    Optimization,
    OptimizationEvent,
    PatternEvidence,
    Study,
)
from featurememory.optimization.effectiveness import PatternLift
from featurememory.optimization.errors import UnknownOptimization, UnknownStudy
from featurememory.optimization.estimate import Estimate
from featurememory.optimization.lifecycle import Cause, Status
from featurememory.optimization.settings import Settings
from featurememory.sequence import next_sequence_numbers

StudyKey = tuple[str, str]
"""operation_type, model."""
TOLD_LIVE = {Status.PROMOTED, Status.QUARANTINED, Status.RETIRED}
"""Standings of which connected processes hear at once, when one begins or ends."""


class Standing(NamedTuple):
    """How an optimization stands, for its row."""

    arm: int
    """The arm's key."""
    pattern: int
    status: Status
    trials: int
    lift: PatternLift | None


class Move(NamedTuple):
    """A change of standing, for its event. `pattern` None: of the arm as a whole."""

    arm: int
    pattern: int | None
    before: Status
    after: Status
    cause: Cause
    evidence: Mapping[str, Any]

    @property
    def is_told_live(self) -> bool:
        return not TOLD_LIVE.isdisjoint((self.before, self.after))


def find_study(operation_type: str, model: str) -> Study:
    study = (
        Study.objects.defer("state", "estimate").filter(operation_type=operation_type, model=model).first()
    )
    if study is None:
        raise UnknownStudy(operation_type, model)
    return study


def find_optimization(id: int) -> Optimization:
    """With its study and its arm; UnknownOptimization where there is none."""
    found = (
        Optimization.objects.select_related("study", "arm")
        .defer("study__state", "study__estimate")
        .filter(pk=id)
        .first()
    )
    if found is None:
        raise UnknownOptimization(id)
    return found


def lock_studies(keys: Iterable[StudyKey]) -> list[Study]:
    """Those that there are, without state and estimate, their rows locked in one order until the transaction ends."""
    wanted = set(keys)
    if not wanted:
        return []
    rows = Study.objects.select_for_update(of=("self",)).defer("state", "estimate")
    types = {operation_type for operation_type, _ in wanted}
    rows = rows.filter(operation_type__in=types, model__in={model for _, model in wanted}).order_by("pk")
    return [row for row in rows if (row.operation_type, row.model) in wanted]


def lock_study(id: int) -> Study:
    return Study.objects.select_for_update().defer("state", "estimate").get(pk=id)


def lock_or_make_study(key: StudyKey, limit: int, now: datetime) -> Study | None:
    """The study, its row locked; None where there are `limit` others already."""
    operation_type, model = key
    found = lock_studies([key])
    if found:
        return found[0]
    be_alone_with(Lock.STUDIES)
    found = lock_studies([key])
    if found:
        return found[0]
    if Study.objects.count() >= limit:
        return None
    return Study.objects.create(operation_type=operation_type, model=model, created_at=now)


def settings_of(operation_type: str) -> Settings:
    """What holds for an operation type: its own settings over those for all."""
    rows = {
        row.operation_type: row.values
        for row in LearningSettings.objects.filter(operation_type__in={"", operation_type})
    }
    return Settings.of(rows.get("", {}), rows.get(operation_type, {}) if operation_type else {})


def packed(estimate: Estimate) -> bytes:
    return zlib.compress(dumps(estimate.snapshot(), separators=(",", ":")).encode(), 1)


def unpacked(data: bytes) -> Estimate:
    return Estimate.restored(loads(zlib.decompress(data)))


def keep_evidence(study: Study, records: Mapping[int, Mapping[str, Any]]) -> None:
    """Writes what is known of these patterns."""
    rows = [
        PatternEvidence(
            study=study, pattern=pattern, record=record, gain=record["gain"], revision=study.revision
        )
        for pattern, record in sorted(records.items())
    ]
    PatternEvidence.objects.bulk_create(
        rows,
        batch_size=100,
        update_conflicts=True,
        unique_fields=["study", "pattern"],
        update_fields=["record", "gain", "revision"],
    )


def keep_standings(study: Study, standings: Sequence[Standing], now: datetime) -> None:
    """Writes how optimizations stand, new ones and known ones."""
    rows = [
        Optimization(
            study=study,
            arm_id=each.arm,
            pattern=each.pattern,
            status=each.status,
            trials=each.trials,
            effect=each.lift and each.lift.lift,
            effect_low=each.lift and each.lift.interval.low,
            effect_high=each.lift and each.lift.interval.high,
            is_effective=bool(each.lift and each.lift.effective),
            created_at=now,
            changed_at=now,
            tried_at=now if each.trials else None,
        )
        for each in standings
    ]
    Optimization.objects.bulk_create(
        rows,
        batch_size=50,
        update_conflicts=True,
        unique_fields=["arm", "pattern"],
        update_fields=["status", "trials", "effect", "effect_low", "effect_high", "is_effective", "tried_at"],
    )


def record_moves(
    study: Study, moves: Sequence[Move], now: datetime, *, actor: str = "", reason: str = ""
) -> list[OptimizationEvent]:
    """An event for each move; those that connected processes must hear of have a number in the live sequence."""
    told = sum(each.is_told_live for each in moves)
    numbers = iter(next_sequence_numbers(told) if told else ())
    events = [
        OptimizationEvent(
            sequence=next(numbers) if each.is_told_live else None,
            study=study,
            arm_id=each.arm,
            pattern=each.pattern,
            before=each.before,
            after=each.after,
            cause=each.cause,
            actor=actor,
            reason=reason,
            evidence=dict(each.evidence),
            at=now,
        )
        for each in moves
    ]
    OptimizationEvent.objects.bulk_create(events)
    for each in moves:
        if each.pattern is not None:
            Optimization.objects.filter(arm=each.arm, pattern=each.pattern).update(changed_at=now)
    return events


def remove_evidence(study: Study, patterns: Collection[int]) -> None:
    """Patterns that the study no longer knows; all processes read it anew once it is kept."""
    PatternEvidence.objects.filter(study=study, pattern__in=list(patterns)).delete()
    study.reloaded_in = study.revision + 1


def arms_of(study: Study) -> list[Arm]:
    return list(study.arms.filter(number__isnull=False).order_by("number"))
