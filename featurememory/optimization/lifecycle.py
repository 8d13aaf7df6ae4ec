"""The life of an optimization, an arm in one pattern: candidate, active, promoted, quarantined, retired.

Evidence moves it, or an operator; each move is a value with its cause.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from featurememory.optimization.effectiveness import PatternLift


class Status(StrEnum):
    """What is thought of an arm in a pattern."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    PROMOTED = "promoted"
    QUARANTINED = "quarantined"
    RETIRED = "retired"

    @property
    def is_shut_out(self) -> bool:
        """Whether it is not to be recommended."""
        return self in (Status.QUARANTINED, Status.RETIRED)


class Cause(StrEnum):
    """Why it moved."""

    TRIED = "tried"
    PROVEN = "proven"
    UNPROVEN = "unproven"
    REGRESSED = "regressed"
    CREDIBLY_WORSE = "credibly_worse"
    QUARANTINE_OVER = "quarantine_over"
    SUPERSEDED = "superseded"
    OPERATOR = "operator"
    PATTERN_GONE = "pattern_gone"


class Change(NamedTuple):
    """One move of the optimization of `arm` in `pattern`."""

    pattern: int
    arm: int
    before: Status
    after: Status
    cause: Cause


def after_outcome(
    status: Status, lift: PatternLift | None, *, is_ordered: bool = False
) -> tuple[Status, Cause] | None:
    """Where an arm's own outcome leads it that was not alarming; None where it stays. `lift`: None where there are
    too few visits to judge by. `is_ordered`: an operator has promoted it."""
    if status is Status.CANDIDATE:
        return Status.ACTIVE, Cause.TRIED
    if status.is_shut_out or lift is None:
        return None
    if lift.interval.high < 0:
        return Status.QUARANTINED, Cause.CREDIBLY_WORSE
    if status is Status.ACTIVE and lift.effective:
        return Status.PROMOTED, Cause.PROVEN
    if status is Status.PROMOTED and lift.interval.low <= 0 and not is_ordered:
        return Status.ACTIVE, Cause.UNPROVEN
    return None


def after_alarm(status: Status, *, is_worse_than_baseline: bool) -> tuple[Status, Cause] | None:
    """Where a fall in an arm's outcomes leads it: below the baseline it is shut out, and a promotion does not
    survive it anyway."""
    if status is Status.RETIRED:
        return None
    if is_worse_than_baseline:
        return Status.QUARANTINED, Cause.REGRESSED
    return (Status.ACTIVE, Cause.REGRESSED) if status is Status.PROMOTED else None
