"""The memory's families for Prometheus, computed from the database; they stand beside django-prometheus' own.

What all processes share is read where all of them write it, so that whichever process is scraped, the answer is
the same. Figures of one process carry its name as a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from django.db.models import Max, Sum
from django.utils import timezone
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from featurememory.circuit_breaker.storage import status_of
from featurememory.integration.metrics import plan_families
from featurememory.models import (
    Breaker,
    ForgottenBreakers,
    HealthSnapshot,
    Job,
    ProcessRecord,
    Rollup,
    Series,
    Source,
)
from featurememory.models.rollup import OTHER
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.health_snapshot import STALE_AFTER
from featurememory.observability.histogram import Histogram
from featurememory.observability.rollups import TOTAL
from featurememory.resource_management.exposition import resource_families
from featurememory.scheduling.due import Stage, look_ahead

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 600)
OUTCOMES = ("success", "error", "timeout", "cancelled", "rejected")
_SERIES = ("operation_type", "model")


class MemoryCollector(Collector):
    """The memory's families; each scrape reads the database anew."""

    def collect(self) -> Iterable[Metric]:
        yield from _operations()
        yield from _breakers()
        yield from _processes()
        yield from _senders()
        yield from _health()
        yield from resource_families()
        yield from plan_families()
        yield from _jobs()

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return ()


def _operations() -> Iterator[Metric]:
    counts = CounterMetricFamily(
        "featurememory_operations", "Operations stored, by outcome.", labels=(*_SERIES, "outcome")
    )
    durations = HistogramMetricFamily(
        "featurememory_operation_duration_seconds",
        "How long operations took; rejected ones never ran and are not in it.",
        labels=_SERIES,
    )
    folded = GaugeMetricFamily(
        "featurememory_series",
        "Distinct (operation_type, model), and those that stand for others.",
        labels=("kind",),
    )
    for row in Rollup.objects.filter(resolution=TOTAL).select_related("series"):
        labels = (row.series.operation_type, row.series.model)
        for outcome in OUTCOMES:
            counts.add_metric((*labels, outcome), getattr(row, outcome))
        histogram = Histogram.from_bytes(row.histogram)
        buckets = [(str(float(bound)), float(histogram.count_up_to(bound * 1_000))) for bound in BOUNDS_S]
        buckets.append(("+Inf", float(histogram.count)))
        durations.add_metric(labels, buckets, row.duration_sum_ms / 1_000)
    others = Series.objects.filter(operation_type=OTHER) | Series.objects.filter(model=OTHER)
    folded.add_metric(("all",), Series.objects.count())
    folded.add_metric(("other",), others.count())
    yield from (counts, durations, folded)


def _breakers() -> Iterator[Metric]:
    """Named and labelled as Resilience4j does, so that its dashboards need but another prefix."""
    state = _breaker_gauge("state", "1 for the state that callers of a breaker meet.", "state")
    buffered = _breaker_gauge(
        "buffered_calls", "Calls that a breaker judges by now, by how they ended.", "kind"
    )
    failure_rate = _breaker_gauge("failure_rate", "Per cent of those that failed; -1 while they are too few.")
    slow_rate = _breaker_gauge(
        "slow_call_rate", "Per cent of those that were slow; -1 while they are too few."
    )
    calls = _breaker_counter("calls", "Calls that a breaker let through, by how they ended.", "kind")
    slow = _breaker_counter("slow_calls", "Of those that count, the slow ones, by how they ended.", "kind")
    refused = _breaker_counter("not_permitted_calls", "Calls that a breaker refused.")
    transitions = _breaker_counter(
        "transitions",
        "Changes of the state that callers meet; without a name: those of breakers that had to make room.",
        "from_state",
        "to_state",
    )
    now = timezone.now()
    for breaker in Breaker.objects.order_by("name"):
        name, status, counted = breaker.name, status_of(breaker, now), breaker.calls
        for each in Breaker.State.values:
            state.add_metric((name, each), float(each == status.state))
        for kind, number in (("successful", status.calls - status.failures), ("failed", status.failures)):
            buffered.add_metric((name, kind), number)
        failure_rate.add_metric((name,), -1 if status.failure_rate is None else status.failure_rate)
        slow_rate.add_metric((name,), -1 if status.slow_call_rate is None else status.slow_call_rate)
        for key, kind in (("success", "successful"), ("failure", "failed"), ("ignored", "ignored")):
            calls.add_metric((name, kind), counted.get(key, 0))
        for key, kind in (("slow_success", "successful"), ("slow_failure", "failed")):
            slow.add_metric((name, kind), counted.get(key, 0))
        refused.add_metric((name,), counted.get("not_permitted", 0))
        _add_transitions(transitions, name, breaker.transitions)
    for forgotten in ForgottenBreakers.objects.all():
        _add_transitions(transitions, "", forgotten.transitions)
    yield from (state, buffered, failure_rate, slow_rate, calls, slow, refused, transitions)


def _breaker_gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"featurememory_circuitbreaker_{name}", text, labels=("name", *labels))


def _breaker_counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"featurememory_circuitbreaker_{name}", text, labels=("name", *labels))


def _add_transitions(family: CounterMetricFamily, name: str, counted: Mapping[str, int]) -> None:
    for moved, number in counted.items():
        family.add_metric((name, *moved.split(" ")), number)


def _processes() -> Iterator[Metric]:
    labels = ("process",)
    depth = GaugeMetricFamily(
        "featurememory_ingestion_queue_operations", "Operations that wait for the writer.", labels=labels
    )
    limit = GaugeMetricFamily(
        "featurememory_ingestion_queue_limit_operations",
        "Beyond this senders are turned away.",
        labels=labels,
    )
    refused = CounterMetricFamily(
        "featurememory_ingestion_refused_operations",
        "Turned away with 503; their senders try again.",
        labels=labels,
    )
    skipped = CounterMetricFamily(
        "featurememory_otlp_skipped_spans",
        "Spans that were taken but are no operations: neither GenAI's nor ours.",
        labels=labels,
    )
    commit = GaugeMetricFamily(
        "featurememory_ingestion_commit_seconds", "The last commits.", labels=(*labels, "statistic")
    )
    streams = GaugeMetricFamily("featurememory_live_streams", "Open event streams.", labels=labels)
    restarts = GaugeMetricFamily(
        "featurememory_process_restarts",
        "How often a process had to be started again.",
        labels=(*labels, "role"),
    )
    for row in ProcessRecord.objects.filter(seen_at__gte=timezone.now() - SEEN_WITHIN):
        process = (f"{row.host}:{row.pid}",)
        restarts.add_metric((*process, row.role), row.restarts)
        if row.role != ProcessRecord.Role.WEB:
            continue
        depth.add_metric(process, row.metrics.get("queue_depth", 0))
        limit.add_metric(process, row.metrics.get("queue_limit", 0))
        refused.add_metric(process, row.metrics.get("refused", 0))
        skipped.add_metric(process, row.metrics.get("skipped_spans", 0))
        streams.add_metric(process, row.metrics.get("streams", 0))
        for statistic in ("p50", "p99"):
            commit.add_metric(
                (*process, statistic), (row.metrics.get(f"commit_ms_{statistic}") or 0.0) / 1_000
            )
    yield from (depth, limit, refused, skipped, commit, streams, restarts)


def _senders() -> Iterator[Metric]:
    figures = Source.objects.aggregate(dropped=Sum("dropped"), newest=Max("last_seen"))
    yield CounterMetricFamily(
        "featurememory_sdk_dropped_operations",
        "Operations that senders had to drop because their buffer was full.",
        value=figures["dropped"] or 0,
    )
    recent = Source.objects.filter(last_seen__gte=timezone.now() - timedelta(minutes=5)).count()
    yield GaugeMetricFamily(
        "featurememory_senders", "SDK processes heard of in the last five minutes.", value=recent
    )


def _health() -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "featurememory_health_status", "1 for the status each component has.", labels=("component", "status")
    )
    newest = HealthSnapshot.objects.order_by("-at").first()
    known = newest is not None and timezone.now() - newest.at <= STALE_AFTER
    components = {"all": newest.status} if newest else {"all": "unknown"}
    if newest:
        components |= {name: each["status"] for name, each in newest.components.items()}
    for component, found in components.items():
        current = found if known else "unknown"
        for possible in (*HealthSnapshot.Status.values, "unknown"):
            status.add_metric((component, possible), 1.0 if possible == current else 0.0)
    yield status


def _jobs() -> Iterator[Metric]:
    succeeded = GaugeMetricFamily(
        "featurememory_job_last_success_timestamp_seconds",
        "When a job last got through; without a sample: never.",
        labels=("job",),
    )
    failures = CounterMetricFamily(
        "featurememory_job_failures", "Runs of a job that failed.", labels=("job",)
    )
    overdue = GaugeMetricFamily(
        "featurememory_job_overdue", "1 while a job should have run and has not.", labels=("job",)
    )
    now = timezone.now()
    for row in Job.objects.all():
        label = (row.name,)
        if row.succeeded_at is not None:
            succeeded.add_metric(label, row.succeeded_at.timestamp())
        failures.add_metric(label, row.failures)
        overdue.add_metric(label, float(look_ahead(row.seen, now).stage is Stage.OVERDUE))
    yield from (succeeded, failures, overdue)


REGISTRY.register(MemoryCollector())
