"""What keeps studies in shape without anybody waiting: new estimates, small steps around what works, and letting go of
patterns that are there no more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Max

from featurememory.models import Arm, Optimization, PatternEvidence, Study
from featurememory.optimization import study as plain
from featurememory.optimization.lifecycle import Cause, Change, Status
from featurememory.optimization.parameters import digest
from featurememory.optimization.records import PatternRecord
from featurememory.optimization.registry import KnownStudy, StudyRegistry, studies
from featurememory.optimization.steps import neighbours_of
from featurememory.optimization.storage import lock_study, remove_evidence

MAX_STEPS = 2
"""Small steps of a study that are being tried at a time."""
ENOUGH_TRIALS = 20
"""After these a step is no longer new, and makes room for the next."""


def due_studies() -> list[int]:
    """Those that have learned enough since their last estimate."""
    due = Study.objects.filter(operations__gte=F("estimate_at"), operations__gt=0)
    return list(due.values_list("pk", flat=True))


def estimate_anew(id: int) -> bool:
    """A new estimate of one study: thought out beside its lock, taken over under it. False where meanwhile its arms
    have changed, so that it has to be thought out anew."""
    thinking = StudyRegistry()
    row = Study.objects.defer("state", "estimate").get(pk=id)
    with thinking.caught_up(row) as copy:
        arms = set(copy.arms)
        copy.re_estimate(row)
        learner = copy.study.learner
        estimate, estimate_at, beta_prior = learner.estimate, learner.estimate_at, learner.book.beta_prior
    with transaction.atomic():
        row = lock_study(id)
        with studies().changing([row]), studies().caught_up(row, is_locked=True) as known:
            if set(known.arms) != arms or known.study.learner.arms != learner.arms:
                return False
            known.study.learner.estimate = estimate
            known.study.learner.estimate_at = estimate_at
            known.study.learner.book.beta_prior = beta_prior
            row.estimated += 1
            known.keep(row, (), (), row.learned_at or row.created_at)
    return True


def propose_steps(id: int, now: datetime) -> int:
    """Adds parameter sets one small step away from the study's best, as far as its settings allow; how many."""
    with transaction.atomic():
        row = lock_study(id)
        with studies().changing([row]), studies().caught_up(row, is_locked=True) as known:
            if not known.settings.steps or known.study.learner.estimate is None:
                return 0
            made = _step(row, known, now)
            if made:
                known.keep(row, (), (), now)
    return made


def follow_patterns(
    gone: Collection[int], now: datetime, into: int | None = None, *, actor: str = "", reason: str = ""
) -> None:
    """Patterns went: what they taught goes into pattern `into`, or into what is known in general. Inside the caller's
    transaction."""
    ids = (
        PatternEvidence.objects.filter(pattern__in=list(gone))
        .order_by("study")
        .values_list("study", flat=True)
    )
    for id in dict.fromkeys(ids):
        row = lock_study(id)
        with studies().changing([row]), studies().caught_up(row, is_locked=True) as known:
            learner = known.study.learner
            there = [pattern for pattern in gone if pattern in learner.records]
            changes = [change for pattern in there for change in _leaving(pattern, learner.records[pattern])]
            heirs = [] if into is None or into not in learner.records else [into]
            tried = [(heir, number) for heir in heirs for number in learner.records[heir].seen]
            for pattern in there:
                learner.forget(pattern, into)
            remove_evidence(row, there)
            known.keep(row, changes, tried, now, actor=actor, reason=reason)
            Optimization.objects.filter(study=row, pattern__in=there).update(status=Status.RETIRED)


def gains_of(patterns: Collection[int]) -> Mapping[int, float]:
    """What is gained by knowing each of these patterns of one space, where anything is."""
    if not patterns:
        return {}
    found = PatternEvidence.objects.filter(pattern__range=(min(patterns), max(patterns)), gain__gt=0)
    return dict(found.values("pattern").annotate(best=Max("gain")).values_list("pattern", "best"))


def _leaving(pattern: int, record: PatternRecord) -> list[Change]:
    return [
        Change(pattern, arm, status, Status.RETIRED, Cause.PATTERN_GONE)
        for arm, status in record.standing.items()
        if status is not Status.RETIRED
    ]


def _step(row: Study, known: KnownStudy, now: datetime) -> int:
    estimate = known.study.learner.estimate
    steps = [number for number, arm in known.arms.items() if arm.origin == Arm.Origin.STEP]
    room = MAX_STEPS - sum(_trials(known.study, number) < ENOUGH_TRIALS for number in steps)
    if estimate is None or room <= 0:
        return 0
    best = max(known.arms, key=lambda number: estimate.pooled.beta[number].mean)
    made = 0
    for parameters in neighbours_of(known.arms[best].parameters, known.settings.steps):
        if made == room:
            break
        if not Arm.objects.filter(study=row, digest=digest(parameters)).exists():
            made += known.add_arm(row, parameters, Arm.Origin.STEP, now) is not None
    return made


def _trials(study: plain.Study, number: int) -> int:
    records = study.learner.records.values()
    return sum(record.seen[number].n for record in records if number in record.seen)
