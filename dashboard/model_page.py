"""One model's page: what it did over a time, and what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from dashboard import words
from dashboard.budget_chart import budget_chart
from dashboard.charts import Chart
from dashboard.comparing import Comparison
from dashboard.latency_charts import bands, distribution
from dashboard.mark_rows import MarkRow, rows_of
from dashboard.timerange import TimeRange
from dashboard.traffic_charts import Shown, errors, latency, rate
from featurememory.models import Breaker, Operation, Optimization, Series, Study
from featurememory.observability.error_budget import read_budget
from featurememory.observability.figures import Figures
from featurememory.observability.marks import Scope, read_marks
from featurememory.observability.operation_search import FAILED_OUTCOME, Search, search_operations
from featurememory.observability.traffic import read_traffic

CHANGES_SHOWN = 8
FAILED_SHOWN = 8
CHARTS = ("latency", "rate", "errors", "bands", "distribution", "budget")


@dataclass(frozen=True, slots=True)
class LearnedHere:
    """What was learned for it."""

    study: int
    trials: int
    promoted: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ModelView:
    name: str
    figures: Figures
    charts: tuple[Chart, ...]
    changes: tuple[MarkRow, ...]
    breaker: tuple[str, words.Look] | None
    learned: LearnedHere | None
    failed: tuple[tuple[words.Look, Operation], ...]
    operations: str
    """The address of its operations in the range."""
    failures: str
    """The query of those that failed."""


def read_model(series: Series, time_range: TimeRange, comparison: Comparison, now: datetime) -> ModelView:
    """A score of queries at most."""
    scope, ids = Scope(series.operation_type, series.model), [series.pk]
    of = urlencode({"operation_type": series.operation_type, "model": series.model})
    operations = f"{reverse('operations')}?{of}"
    shown = Shown(
        read_traffic(time_range.span, ids),
        now,
        read_marks(time_range.span, scope),
        read_traffic(time_range.earlier(comparison.by), ids) if comparison.by else None,
        comparison.ago,
        operations,
    )
    charts = (latency(shown), rate(shown), errors(shown), bands(shown), distribution(shown))
    total = shown.traffic.total
    return ModelView(
        name=str(series),
        figures=total,
        charts=(*charts, budget_chart(read_budget(now, ids))),
        changes=rows_of(shown.marks[:CHANGES_SHOWN]),
        breaker=_breaker(scope),
        learned=_learned(scope),
        failed=_failed(series, time_range) if total.calls > total.success else (),
        operations=f"{operations}&{time_range.query}",
        failures=f"{of}&outcome={FAILED_OUTCOME}&{time_range.frozen_query}",
    )


def _failed(series: Series, time_range: TimeRange) -> tuple[tuple[words.Look, Operation], ...]:
    search = Search(
        since=time_range.span.start,
        until=time_range.span.end,
        operation_type=series.operation_type,
        model=series.model,
        outcome=FAILED_OUTCOME,
    )
    rows = search_operations(search, FAILED_SHOWN).rows
    return tuple((words.OUTCOMES[each.outcome], each) for each in rows)


def _breaker(scope: Scope) -> tuple[str, words.Look] | None:
    state = Breaker.objects.filter(name=scope.breaker).values_list("state", flat=True).first()
    return None if state is None else (scope.breaker, words.BREAKER_STATES[state])


def _learned(scope: Scope) -> LearnedHere | None:
    study = Study.objects.filter(operation_type=scope.operation_type, model=scope.model).first()
    if study is None:
        return None
    rows = Optimization.objects.filter(study=study).exclude(pattern=0).values_list("status", "trials")[:5_000]
    statuses = [status for status, _ in rows]
    return LearnedHere(
        study.pk, sum(trials for _, trials in rows), statuses.count("promoted"), statuses.count("quarantined")
    )
