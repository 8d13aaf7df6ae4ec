"""The memory in a few figures: how quick it is, what its learning gains, what it uses, how it is. All are read from the
database, so that every process tells the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from featurememory.models import HealthSnapshot, Optimization, ProcessRecord, Rollup
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.health_snapshot import STALE_AFTER
from featurememory.observability.rollups import OUTCOMES, TOTAL
from featurememory.optimization.figures import EffectFigures, overall, study_figures
from featurememory.resource_management.history import newest_figures


class Latency(NamedTuple):
    """Of the last minute, in milliseconds: of the process that was slowest; None where nothing was done."""

    p50_ms: float | None
    p99_ms: float | None


class FeatureMemoryMetrics(NamedTuple):
    recognition: Latency
    storage: Latency
    """Commits of the ingestion writers."""
    operations: int
    """Stored so far."""
    error_rate: float | None
    """Errors and time-outs among those that ran to an end, so far."""
    effectiveness: Mapping[str, EffectFigures]
    """What recommendations gain over the baseline, by objective."""
    optimizations: Mapping[str, int]
    """By status."""
    resources: Mapping[str, float]
    """What the job last saw, by name; empty once that says nothing about now."""
    health: str
    components: Mapping[str, str]


def read_metrics(now: datetime) -> FeatureMemoryMetrics:
    """A fixed number of queries."""
    web = ProcessRecord.objects.filter(role=ProcessRecord.Role.WEB, seen_at__gte=now - SEEN_WITHIN)
    told = list(web.values_list("metrics", flat=True))
    sums = Rollup.objects.filter(resolution=TOTAL).aggregate(**{each: Sum(each) for each in OUTCOMES})
    counts = {outcome: count or 0 for outcome, count in sums.items()}
    failed = counts["error"] + counts["timeout"]
    newest = HealthSnapshot.objects.filter(at__gte=now - STALE_AFTER).order_by("-at").first()
    return FeatureMemoryMetrics(
        recognition=_slowest(told, "recognition_ms"),
        storage=_slowest(told, "commit_ms"),
        operations=sum(counts.values()),
        error_rate=failed / (failed + counts["success"]) if failed + counts["success"] else None,
        effectiveness=overall(study_figures(with_arms=False)),
        optimizations=dict(Optimization.objects.order_by().values_list("status").annotate(Count("pk"))),
        resources=newest_figures(now),
        health=newest.status if newest else "unknown",
        components={name: each["status"] for name, each in newest.components.items()} if newest else {},
    )


def plan_families() -> Iterator[Metric]:
    """The same for Prometheus, as far as no other family tells it."""
    metrics = read_metrics(timezone.now())
    latency = GaugeMetricFamily(
        "featurememory_latency_seconds",
        "How long the last minute's recognitions and commits took, in the slowest process.",
        labels=("what", "statistic"),
    )
    for what, each in (("recognition", metrics.recognition), ("storage", metrics.storage)):
        for statistic, value in (("p50", each.p50_ms), ("p99", each.p99_ms)):
            if value is not None:
                latency.add_metric((what, statistic), value / 1_000)
    lift = GaugeMetricFamily(
        "featurememory_optimization_lift",
        "What recommendations gain over the baseline, in units of the objective, with the ends of its interval.",
        labels=("objective", "statistic"),
    )
    for objective, effect in metrics.effectiveness.items():
        ends = zip(("low", "high"), effect.interval or (), strict=False)
        for statistic, figure in (("mean", effect.lift), *ends):
            if figure is not None:
                lift.add_metric((objective, statistic), figure)
    known = GaugeMetricFamily("featurememory_optimizations", "Optimizations, by status.", labels=("status",))
    for status, count in sorted(metrics.optimizations.items()):
        known.add_metric((status,), count)
    yield from (latency, lift, known)


def _slowest(told: Iterable[Mapping[str, Any]], figure: str) -> Latency:
    def worst(name: str) -> float | None:
        return max((each[name] for each in told if each.get(name) is not None), default=None)

    return Latency(worst(f"{figure}_p50"), worst(f"{figure}_p99"))
