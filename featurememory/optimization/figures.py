"""What studies gain, as pages and callers read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from django.db.models import Count

from featurememory.models import Arm, Study
from featurememory.optimization.effectiveness import Effect, Effectiveness, Interval


class EffectFigures(NamedTuple):
    """None where there is nothing to tell; otherwise as Effect has it."""

    operations: int
    lift: float | None
    interval: Interval | None
    sequence: Interval | None
    check: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class StudyFigures:
    """`saved_ms`: milliseconds that an operation takes less than it would have on the baseline."""

    study: Study
    aim: str | None
    patterns: int
    arms: list[Arm]
    effect: EffectFigures
    saved_ms: EffectFigures


def study_figures(id: int | None = None) -> list[StudyFigures]:
    """Of all studies, or of one."""
    rows = (
        Study.objects.defer("estimate")
        .annotate(patterns=Count("evidence", distinct=True))
        .prefetch_related("arms")
    )
    if id is not None:
        rows = rows.filter(pk=id)
    return [
        StudyFigures(
            row,
            aim_of(row),
            row.patterns,
            list(row.arms.all()),
            figures_of(_stream(row, "learner", "effectiveness").effect()),
            figures_of(_stream(row, "time").effect()),
        )
        for row in rows
    ]


def overall(figures: Iterable[StudyFigures]) -> dict[str, EffectFigures]:
    """Over all studies of one kind of objective, by kind."""
    streams: dict[str, Effectiveness] = {}
    for each in figures:
        if each.aim is not None:
            streams.setdefault(each.aim, Effectiveness()).merge(
                _stream(each.study, "learner", "effectiveness")
            )
    return {aim: figures_of(stream.effect()) for aim, stream in sorted(streams.items())}


def figures_of(effect: Effect) -> EffectFigures:
    return EffectFigures(
        effect.operations,
        effect.lift if effect.operations else None,
        effect.interval if isfinite(effect.interval.low) else None,
        effect.sequence if isfinite(effect.sequence.low) else None,
        effect.check if effect.operations else None,
        effect.verdict,
    )


def aim_of(study: Study) -> str | None:
    """What its rewards are made from."""
    objective = study.state.get("objective")
    return objective[0] if objective else None


def _stream(study: Study, *path: str) -> Effectiveness:
    found: Any = study.state
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return Effectiveness(found)
