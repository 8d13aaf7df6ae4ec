"""What was used in a span of time, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan
from typing import Any

from featurememory.models import ResourceSample
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.observability.span import Span
from featurememory.resource_management.samples import FIGURES, SAMPLES, Sample

FRESH_FOR = timedelta(minutes=1)
"""A moment's sample that is older says nothing about now."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What samples say of a span."""

    span: Span
    samples: Sequence[Sample]

    def of(self, name: str) -> tuple[float | None, ...]:
        """The figure's mean in each step; None where nobody looked."""
        column, start, step_s = FIGURES.index(name), self.span.start.timestamp(), self.span.step_s
        sums, weights = [0.0] * len(self.span), [0] * len(self.span)
        for at, moments, means in self.samples:
            mean = means[column]
            if not isnan(mean):
                step = int(at - start) // step_s
                sums[step] += mean * moments
                weights[step] += moments
        return tuple(
            float(f"{total / weight:.5g}") if weight else None
            for total, weight in zip(sums, weights, strict=True)
        )


def read_usage(span: Span) -> Usage:
    """One query, at most."""
    resolution = HOUR if span.step_s % HOUR == 0 else MINUTE
    return Usage(span, SAMPLES.within(span, resolution))


def newest_figures(now: datetime) -> dict[str, Any]:
    """What the job last saw, so that every process tells the same; empty once that says nothing about now."""
    fresh = ResourceSample.objects.filter(resolution=0, at__gte=now - FRESH_FOR)
    return fresh.order_by("-at").values_list("figures", flat=True).first() or {}
