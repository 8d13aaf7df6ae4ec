"""The memory in a few figures."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey
from featurememory.api.breakers import refusals
from featurememory.api.learning import EffectivenessView
from featurememory.integration.metrics import Latency, read_metrics

router = Router()


class LatencyView(Schema):
    """Of the last minute, in the slowest process; null where nothing was done. `target_ms` is what p99 must stay
    below."""

    p50_ms: float | None
    p99_ms: float | None
    target_ms: float


class OptimizationsView(Schema):
    by_status: dict[str, int]
    effectiveness: list[EffectivenessView] = Field(description="For each kind of objective.")


class SystemHealthView(Schema):
    status: str = Field(description="`unknown` when nothing evaluates any more.")
    components: dict[str, str]


class FeatureMemoryMetricsView(Schema):
    at: datetime
    recognition_latency: LatencyView
    storage_latency: LatencyView
    operations: int = Field(description="Stored so far.")
    error_rate: float | None = Field(
        description="Errors and time-outs among those that ran to an end, so far."
    )
    optimizations: OptimizationsView
    resource_usage: dict[str, float] = Field(description="What the job last saw; empty once that is too old.")
    system_health: SystemHealthView


@router.get(
    "/metrics",
    auth=ScopedKey("read"),
    response={200: FeatureMemoryMetricsView, **refusals(401, 403)},
    summary="The memory in a few figures",
)
def get_metrics(request: HttpRequest) -> FeatureMemoryMetricsView:
    """How quick it is, what its learning gains, what it uses, how it is. Prometheus reads the same at `/metrics`."""
    now = timezone.now()
    metrics = read_metrics(now)
    return FeatureMemoryMetricsView(
        at=now,
        recognition_latency=_latency(metrics.recognition, 50),
        storage_latency=_latency(metrics.storage, 20),
        operations=metrics.operations,
        error_rate=metrics.error_rate,
        optimizations=OptimizationsView(
            by_status=dict(metrics.optimizations),
            effectiveness=[
                EffectivenessView(objective=aim, **each._asdict())
                for aim, each in metrics.effectiveness.items()
            ],
        ),
        resource_usage=dict(metrics.resources),
        system_health=SystemHealthView(status=metrics.health, components=dict(metrics.components)),
    )


def _latency(found: Latency, target_ms: float) -> LatencyView:
    return LatencyView(p50_ms=found.p50_ms, p99_ms=found.p99_ms, target_ms=target_ms)
