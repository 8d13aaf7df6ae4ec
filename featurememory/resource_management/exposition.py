"""Resources for Prometheus: what is used beside what may be, by process and in all, and how cleanups went."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Max
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from featurememory.models import CleanupRun, ProcessRecord
from featurememory.observability.health import SEEN_WITHIN
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.constraints import ResourceUsage
from featurememory.resource_management.history import newest_figures
from featurememory.resource_management.readings import readings
from featurememory.resource_management.sizes import MB


def resource_families() -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "featurememory_resource_used",
        "What is used, in the unit of its limit's name.",
        labels=("constraint",),
    )
    limit = GaugeMetricFamily("featurememory_resource_limit", "What may be used.", labels=("constraint",))
    seen = newest_figures(timezone.now())
    usage = ResourceUsage(**{name: seen.get(name) for name in ResourceUsage._fields})
    for each in readings(usage, limits().constraints):
        used.add_metric((each.constraint,), each.used)
        limit.add_metric((each.constraint,), each.limit)
    yield from (used, limit)
    yield from _processes()
    yield from _cleanups()


def _processes() -> Iterator[Metric]:
    memory = GaugeMetricFamily(
        "featurememory_process_memory_bytes",
        "Memory of a process and its children; of shared pages its share (PSS).",
        labels=("process",),
    )
    errors = CounterMetricFamily(
        "featurememory_errors", "Errors that a process handled, by kind.", labels=("process", "kind")
    )
    told: set[str] = set()
    for record in ProcessRecord.objects.filter(seen_at__gte=timezone.now() - SEEN_WITHIN):
        name = f"{record.host}:{record.pid}"
        if name not in told and record.metrics.get("memory_mb") is not None:
            told.add(name)
            memory.add_metric((name,), record.metrics["memory_mb"] * MB)
        for kind, count in record.metrics.get("errors", {}).items():
            errors.add_metric((name, kind), count)
    yield from (memory, errors)


def _cleanups() -> Iterator[Metric]:
    running = CleanupRun.objects.filter(state=CleanupRun.State.RUNNING).exists()
    yield GaugeMetricFamily("featurememory_cleanup_running", "1 while a cleanup is under way.", value=running)
    ended = GaugeMetricFamily(
        "featurememory_cleanup_last_end_timestamp_seconds",
        "When the last cleanup ended, by how.",
        labels=("state",),
    )
    last = (
        CleanupRun.objects.filter(ended_at__isnull=False)
        .order_by()
        .values_list("state")
        .annotate(Max("ended_at"))
    )
    for state, at in last:
        ended.add_metric((state,), at.timestamp())
    yield ended
