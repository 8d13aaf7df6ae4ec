"""The parameter sets that one study compares, everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from dashboard.comparisons import BASELINE
from dashboard.file_columns import Columns
from dashboard.parameter_sets import ParameterSet, compared
from featurememory.models import Arm, Study


@dataclass(frozen=True, slots=True)
class SetRow:
    """`patterns`: how many it was tried in, or is to be."""

    arm: Arm
    parameters: ParameterSet
    patterns: int
    is_baseline: bool


EXPORTED: Columns[SetRow] = {
    "number": lambda row: row.arm.number,
    "parameters": lambda row: row.arm.parameters,
    "is_baseline": lambda row: row.is_baseline,
    "origin": lambda row: row.arm.origin,
    "created_at": lambda row: row.arm.created_at,
    "patterns": lambda row: row.patterns,
}


@dataclass(frozen=True, slots=True)
class StudySets:
    study: Study
    rows: tuple[SetRow, ...]


def read_study_sets(study: int) -> StudySets | None:
    """Two queries; None where there is no such study."""
    found = Study.objects.defer("state", "estimate").filter(pk=study).first()
    if found is None:
        return None
    arms = list(
        found.arms.filter(number__isnull=False).annotate(patterns=Count("optimizations")).order_by("number")
    )
    baseline = next((arm.parameters for arm in arms if arm.number == BASELINE), None)
    rows = (
        SetRow(arm, compared(arm.parameters, baseline), arm.patterns, arm.number == BASELINE) for arm in arms
    )
    return StudySets(found, tuple(rows))
