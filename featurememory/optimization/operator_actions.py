"""An operator's hand on optimizations: each act with a reason, an audit row and an event that all processes follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from featurememory import bus
from featurememory.audit import was_done
from featurememory.errors import ResourceConstraintError, ValidationError
from featurememory.models import Arm, AuditEntry, Optimization, Study
from featurememory.optimization.errors import UnknownStudy
from featurememory.optimization.lifecycle import Cause, Status
from featurememory.optimization.parameters import checked, digest
from featurememory.optimization.registry import MAX_ARMS, KnownStudy, studies
from featurememory.optimization.storage import Move, find_optimization, lock_study
from featurememory.reasons import checked_reason

PERMISSION = "featurememory.operate_optimization"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    slug: str
    verb: str
    """On the button."""
    done: str
    """Completes "The optimization ..."."""
    consequence: str
    leads_to: Status
    is_harmful: bool = False

    def suits(self, status: str) -> bool:
        """Whether it changes anything for an optimization of this status."""
        return status != self.leads_to


ACTIONS = {
    action.slug: action
    for action in (
        OperatorAction(
            "promote",
            "Promote",
            "was promoted.",
            "Operations of this pattern get these parameters, but for the control group and a few that go on trying "
            "others. It is taken back by itself if its outcomes fall.",
            Status.PROMOTED,
        ),
        OperatorAction(
            "activate",
            "Make active",
            "is active.",
            "It takes its share again, as large as its outcomes earn it.",
            Status.ACTIVE,
        ),
        OperatorAction(
            "quarantine",
            "Quarantine",
            "is in quarantine.",
            "Operations of this pattern no longer get these parameters until somebody makes it active again. What was "
            "learned of it is kept.",
            Status.QUARANTINED,
            is_harmful=True,
        ),
        OperatorAction(
            "retire",
            "Retire",
            "is retired.",
            "Operations of this pattern no longer get these parameters.",
            Status.RETIRED,
            is_harmful=True,
        ),
    )
}


class Ordered(NamedTuple):
    """`was_handed_on`: whether connected processes were told at once; otherwise they find it when they next look."""

    optimization: Optimization
    was_handed_on: bool


class Retired(NamedTuple):
    """As Ordered."""

    arm: Arm
    was_handed_on: bool


def order(
    id: int, action: OperatorAction, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None
) -> Ordered:
    """Carries the act out; given again with the same `request_id` it does nothing. UnknownOptimization;
    ValidationError where its parameters are the baseline's, or are retired."""
    reason = checked_reason(reason)
    found = find_optimization(id)
    with _changing(found.study_id) as (row, known):
        if was_done(request_id):
            return Ordered(find_optimization(id), True)
        number = known.number_of(found.arm.parameters)
        if number is None:
            raise _refused("id", "its parameters are retired; add them to the study again first")
        if number == known.study.learner.baseline:
            raise _refused("id", "another optimization: these are the baseline's parameters")
        before = find_optimization(id).status
        changes = known.study.learner.order(found.pattern, number, action.leads_to)
        touched = [(found.pattern, number)]
        known.keep(row, changes, (), now, actor=actor, reason=reason, touched=touched)
        after = {"status": action.leads_to, "parameters": found.arm.parameters}
        _audit(
            f"optimization.{action.slug}", str(id), actor, reason, now, {"status": before}, after, request_id
        )
    was_handed_on = _announce()
    return Ordered(find_optimization(id), was_handed_on)


def add_candidate(
    operation_type: str,
    model: str,
    parameters: Mapping[str, Any],
    *,
    actor: str,
    reason: str,
    now: datetime,
    request_id: UUID | None = None,
) -> Arm:
    """One more parameter set for a study to try; one that it tries already stays as it is, and so it does for a
    `request_id` given again. UnknownStudy; ValidationError; ResourceConstraintError where it has as many as it can
    compare."""
    reason = checked_reason(reason)
    found = (
        Study.objects.filter(operation_type=operation_type, model=model).values_list("pk", flat=True).first()
    )
    if found is None:
        raise UnknownStudy(operation_type, model)
    with _changing(found) as (row, known):
        baseline = known.arms.get(known.study.learner.baseline)
        given = checked(parameters, "parameters", like=baseline.parameters if baseline else None)
        number = known.number_of(given)
        if number is None and was_done(request_id):
            return Arm.objects.get(study=row, digest=digest(given))
        if number is None:
            number = known.add_arm(row, given, Arm.Origin.OPERATOR, now)
            if number is None:
                raise ResourceConstraintError(
                    f"{row} compares {MAX_ARMS} parameter sets already: retire one first.",
                    resource="parameter sets",
                    limit=MAX_ARMS,
                )
            known.keep(row, (), (), now)
            _audit("candidate.add", str(row), actor, reason, now, {}, {"parameters": given}, request_id)
        return known.arms[number]


def retire_arm(id: int, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None) -> Retired:
    """Takes a parameter set out of its study, in every pattern; what was learned of it goes. One that is retired stays
    as it is, and a `request_id` given again does nothing. ValidationError for a baseline."""
    reason = checked_reason(reason)
    found = Arm.objects.filter(pk=id).first()
    if found is None:
        raise _refused("id", "a parameter set that there is")
    with _changing(found.study_id) as (row, known):
        number = known.number_of(found.parameters)
        if number is None or was_done(request_id):
            return Retired(found, True)
        if number == known.study.learner.baseline:
            raise _refused("id", "another parameter set: this one is the baseline")
        move = Move(found.pk, None, Status.ACTIVE, Status.RETIRED, Cause.OPERATOR, {})
        known.retire_arm(row, number, now)
        Optimization.objects.filter(arm=found).update(status=Status.RETIRED, changed_at=now)
        known.keep(row, (), (), now, actor=actor, reason=reason, moves=[move])
        gone = {"parameters": found.parameters}
        _audit("candidate.retire", str(row), actor, reason, now, gone, {}, request_id)
    was_handed_on = _announce()
    found.refresh_from_db()
    return Retired(found, was_handed_on)


@contextmanager
def _changing(study: int) -> Iterator[tuple[Study, KnownStudy]]:
    """The study under its row's lock, in a transaction."""
    registry = studies()
    with transaction.atomic():
        row = lock_study(study)
        with registry.changing([row]), registry.caught_up(row, is_locked=True) as known:
            yield row, known


def _announce() -> bool:
    from featurememory.sequence import last_sequence_number

    return bus.announce(last_sequence_number())


def _audit(
    action: str,
    subject: str,
    actor: str,
    reason: str,
    now: datetime,
    before: dict[str, Any],
    after: dict[str, Any],
    request_id: UUID | None = None,
) -> None:
    AuditEntry.objects.create(
        at=now,
        actor=actor,
        action=action,
        subject=subject,
        reason=reason,
        before=before,
        after=after,
        request_id=request_id,
    )


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError(
        f"The {field} cannot be taken.", [{"field": field, "code": "invalid", "message": message}]
    )
