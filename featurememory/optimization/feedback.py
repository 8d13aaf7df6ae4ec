"""What is said of an operation after it was over: a score, or that it was no good after all. Once, and it teaches as if
it had come with the operation."""

from __future__ import annotations

from datetime import datetime
from json import dumps
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction

from featurememory.models import Feedback, Operation, Study
from featurememory.optimization.errors import FeedbackRefused, UnknownOperation
from featurememory.optimization.registry import studies
from featurememory.optimization.storage import lock_studies
from featurememory.optimization.teaching import Told, learn_from


class Heard(NamedTuple):
    """The operation with what was said of it, and whether its study learned from that: not where it had learned from
    the operation before."""

    operation: Operation
    taught: bool


def take_feedback(
    id: UUID, *, actor: str, now: datetime, score: float | None = None, outcome: str = ""
) -> Heard:
    """UnknownOperation; FeedbackRefused where nothing can be said any more."""
    with transaction.atomic():
        operation = Operation.objects.filter(id=id).first()
        if operation is None:
            raise UnknownOperation(id)
        _check(operation, score, outcome)
        learning = [
            study
            for study in lock_studies([(operation.operation_type, operation.model)])
            if _waits_for_score(study, operation)
        ]
        with studies().changing(learning):
            _note(operation, score, outcome, actor, now)
            learn_from(studies(), learning, [_told(operation)], now)
    return Heard(operation, bool(learning))


def _waits_for_score(study: Study, operation: Operation) -> bool:
    """Whether the operation has not taught yet what it could."""
    with studies().caught_up(study, is_locked=True) as known:
        needs_score = known.study.aim in ("score", "both")
    return needs_score and operation.outcome == Operation.Outcome.SUCCESS and operation.score is None


def _check(operation: Operation, score: float | None, outcome: str) -> None:
    if operation.outcome in (Operation.Outcome.REJECTED, Operation.Outcome.CANCELLED):
        raise FeedbackRefused(
            f"Operation {operation.id} was {operation.outcome}: it has no result to speak of.",
            id=str(operation.id),
        )
    if score is not None and operation.score is not None:
        raise FeedbackRefused(
            f"Operation {operation.id} has its score, {operation.score:g}, already.", id=str(operation.id)
        )
    if outcome and operation.outcome != Operation.Outcome.SUCCESS:
        raise FeedbackRefused(
            f"Operation {operation.id} ended with {operation.outcome} already.", id=str(operation.id)
        )


def _note(operation: Operation, score: float | None, outcome: str, actor: str, now: datetime) -> None:
    try:
        with transaction.atomic():
            Feedback.objects.create(operation=operation.id, score=score, outcome=outcome, actor=actor, at=now)
    except IntegrityError:
        raise FeedbackRefused(
            f"Operation {operation.id} has had its feedback already.", id=str(operation.id)
        ) from None
    if score is not None:
        operation.score = score
    if outcome:
        operation.outcome = outcome
    operation.save(update_fields=["score", "outcome"])


def _told(operation: Operation) -> Told:
    return Told(
        operation.id,
        (operation.operation_type, operation.model),
        dumps(operation.parameters),
        operation.outcome,
        operation.started_at.timestamp(),
        operation.duration_ms,
        operation.score,
        operation.recommendation,
        None,
        operation.pattern,
        None,
        is_outage=False,
    )
