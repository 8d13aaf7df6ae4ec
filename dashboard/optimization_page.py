"""All that the page of one optimization shows, read at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from dashboard.charts import Chart
from dashboard.comparisons import BASELINE, Comparisons, read_comparisons
from dashboard.effects import Gain, gain
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.optimization_rows import Filter, OptimizationRow, show
from dashboard.optimization_words import CAUSES, SOURCES, STATUSES
from dashboard.reward_chart import read_rewards, reward_chart
from dashboard.traffic_shares import read_traffic_shares
from dashboard.words import OUTCOMES, Look
from featurememory.models import Optimization, OptimizationEvent, Recommendation, Study
from featurememory.optimization.lifecycle import Cause

HISTORY_SHOWN = 30
TRIALS_SHOWN = 15
RIVALS_SHOWN = 40
EXPORTED_TRIALS: Columns[Recommendation] = {
    "id": lambda row: row.pk,
    "at": lambda row: row.at,
    "source": lambda row: row.source,
    "propensity": lambda row: row.propensity,
    "baseline_propensity": lambda row: row.baseline_propensity,
    "confidence": lambda row: row.confidence,
    "operation": lambda row: row.operation,
    "outcome": lambda row: row.outcome,
    "reward": lambda row: row.reward,
    "learned_at": lambda row: row.learned_at,
}
EXPORTED_HISTORY: Columns[OptimizationEvent] = {
    "sequence": lambda event: event.sequence,
    "at": lambda event: event.at,
    "before": lambda event: event.before,
    "after": lambda event: event.after,
    "cause": lambda event: event.cause,
    "is_everywhere": lambda event: event.pattern is None,
    "actor": lambda event: event.actor,
    "reason": lambda event: event.reason,
    "evidence": lambda event: event.evidence,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One change of standing. `is_everywhere`: of the parameter set as a whole, not in this pattern alone."""

    event: OptimizationEvent
    before: Look
    after: Look
    cause: str
    trials: int | None
    gain: Gain | None
    is_everywhere: bool


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One recommendation of it, and what came of it so far."""

    recommendation: Recommendation
    source: str
    outcome: Look | None


@dataclass(frozen=True, slots=True)
class OptimizationPage:
    row: OptimizationRow
    study: Study
    aim: str | None
    seen_lately: int
    """Recommendations of the pattern, of which `row.share` is its share."""
    history: tuple[Move, ...]
    chart: Chart
    trials: tuple[TrialRow, ...]
    rivals: tuple[OptimizationRow, ...]

    @property
    def is_baseline(self) -> bool:
        return self.row.optimization.arm.number == BASELINE

    @property
    def in_pattern(self) -> str:
        """The query of all that competes in its pattern."""
        return Filter(study=self.study.pk, pattern=self.row.optimization.pattern).query

    @property
    def has_regressed(self) -> bool:
        """Whether what came before a change of its outcomes was set aside."""
        return any(each.event.cause == Cause.REGRESSED for each in self.history)

    @property
    def is_retired_everywhere(self) -> bool:
        return self.row.optimization.arm.number is None


def read_optimization_page(found: Optimization, now: datetime) -> OptimizationPage:
    """Eight queries."""
    like = read_comparisons([found.study_id])
    aim = like.aims.get(found.study_id)
    shares = read_traffic_shares([found.study_id], [found.pattern], now)
    row, *rivals = show([found, *_rivals(found)], like, shares)
    return OptimizationPage(
        row=row,
        study=found.study,
        aim=aim,
        seen_lately=shares.seen(found.study_id, found.pattern),
        history=tuple(_history(found, aim)),
        chart=chart_of(found, like),
        trials=tuple(_trials(found)),
        rivals=tuple(rivals),
    )


def chart_of(found: Optimization, like: Comparisons) -> Chart:
    """Two queries."""
    baseline = like.baselines.get(found.study_id, found.arm)
    return reward_chart(read_rewards(found.arm_id, baseline.pk, found.pattern), like.aims.get(found.study_id))


def read_row(found: Optimization, now: datetime) -> OptimizationRow:
    """As lists show it; three queries."""
    shares = read_traffic_shares([found.study_id], [found.pattern], now)
    return show([found], read_comparisons([found.study_id]), shares)[0]


def _rivals(found: Optimization) -> Sequence[Optimization]:
    rows = Optimization.objects.filter(study=found.study_id, pattern=found.pattern).exclude(pk=found.pk)
    return list(rows.select_related("arm").order_by("-trials", "pk")[:RIVALS_SHOWN])


def exported_trials(found: Optimization) -> Iterator[Recommendation]:
    """The newest of its recommendations; one query."""
    return _recommendations(found)[:MOST_ROWS].iterator(AT_ONCE)


def exported_history(found: Optimization) -> Iterator[OptimizationEvent]:
    """The newest changes of its standing; one query."""
    return _events(found)[:MOST_ROWS].iterator(AT_ONCE)


def _events(found: Optimization) -> QuerySet[OptimizationEvent]:
    here = Q(pattern=found.pattern) | Q(pattern=None)
    return OptimizationEvent.objects.filter(here, arm=found.arm_id).order_by("-id")


def _history(found: Optimization, aim: str | None) -> Iterable[Move]:
    return (move_of(each, aim) for each in _events(found)[:HISTORY_SHOWN])


def move_of(event: OptimizationEvent, aim: str | None) -> Move:
    evidence: Mapping[str, Any] = event.evidence
    return Move(
        event,
        STATUSES[event.before],
        STATUSES[event.after],
        CAUSES.get(event.cause, event.cause),
        evidence.get("trials"),
        gain(aim, evidence.get("effect"), evidence.get("low"), evidence.get("high")),
        event.pattern is None,
    )


def _recommendations(found: Optimization) -> QuerySet[Recommendation]:
    return Recommendation.objects.filter(arm=found.arm_id, pattern=found.pattern).order_by("-at")


def _trials(found: Optimization) -> Iterable[TrialRow]:
    return (
        TrialRow(each, SOURCES.get(each.source, each.source), OUTCOMES.get(each.outcome))
        for each in _recommendations(found)[:TRIALS_SHOWN]
    )
