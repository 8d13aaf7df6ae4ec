"""What was used in a span of time, step by step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from featurememory.models import ResourceSample
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.observability.span import Span

FRESH_FOR = timedelta(minutes=1)
"""A moment's sample that is older says nothing about now."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of each figure its mean in each step; None where nobody looked."""

    span: Span
    figures: dict[str, tuple[float | None, ...]]

    def of(self, name: str) -> tuple[float | None, ...]:
        return self.figures.get(name, (None,) * len(self.span))

    def last(self, name: str) -> float | None:
        return next((value for value in reversed(self.of(name)) if value is not None), None)


def read_usage(span: Span) -> Usage:
    """One query."""
    resolution = HOUR if span.step_s % HOUR == 0 else MINUTE
    rows = ResourceSample.objects.filter(resolution=resolution, at__gte=span.start, at__lt=span.end)
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(span))
    weights: dict[str, list[int]] = defaultdict(lambda: [0] * len(span))
    for at, samples, figures in rows.values_list("at", "samples", "figures").order_by():
        step = span.index_of(at)
        for name, (mean, _, _) in figures.items():
            sums[name][step] += mean * samples
            weights[name][step] += samples
    return Usage(
        span,
        {
            name: tuple(
                float(f"{each / weight:.5g}") if weight else None
                for each, weight in zip(total, weights[name], strict=True)
            )
            for name, total in sums.items()
        },
    )


def newest_figures(now: datetime) -> dict[str, Any]:
    """What the job last saw, so that every process tells the same; empty once that says nothing about now."""
    fresh = ResourceSample.objects.filter(resolution=0, at__gte=now - FRESH_FOR)
    return fresh.order_by("-at").values_list("figures", flat=True).first() or {}
