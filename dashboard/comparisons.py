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
    baselines = Arm.objects.filter(study__in=wanted, number=BASELINE)
    return Comparisons({arm.study_id: arm for arm in baselines}, read_aims(wanted))


def read_aims(studies: Iterable[int] | None = None) -> dict[int, str | None]:
    """The objective of each, or of all that there are; one query."""
    rows = Study.objects.all() if studies is None else Study.objects.filter(pk__in=set(studies))
    objectives = rows.order_by().values_list("pk", "state__objective")
    return {study: objective[0] if objective else None for study, objective in objectives}
