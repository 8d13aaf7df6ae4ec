"""What the parameter sets of studies are compared with, and by what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from featurememory.models import Arm, Study

BASELINE = 0
"""The number of a study's baseline among its parameter sets."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """By study: its baseline, and its objective, None before an operation has shown it."""

    baselines: Mapping[int, Arm]
    aims: Mapping[int, str | None]

    def parameters(self, study: int) -> Mapping[str, Any] | None:
        """The baseline's."""
        return self.baselines[study].parameters if study in self.baselines else None


def read_comparisons(studies: Iterable[int]) -> Comparisons:
    """Two queries."""
    wanted = set(studies)
    objectives = Study.objects.filter(pk__in=wanted).values_list("pk", "state__objective")
    return Comparisons(
        {arm.study_id: arm for arm in Arm.objects.filter(study__in=wanted, number=BASELINE)},
        {study: objective[0] if objective else None for study, objective in objectives},
    )
