"""The first three golden signals of a span: latency, rate and errors, from rollups alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from featurememory.models import Series
from featurememory.models.rollup import OTHER
from featurememory.observability.figures import Figures, RunningSum
from featurememory.observability.history import read_pieces, sum_parts
from featurememory.observability.span import Span


@dataclass(frozen=True, slots=True)
class SeriesFigures:
    id: int
    operation_type: str
    model: str
    figures: Figures

    @property
    def is_other(self) -> bool:
        """Stands for several that are beyond the limits."""
        return OTHER in (self.operation_type, self.model)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Per step of the span, per series, and over all."""

    span: Span
    steps: tuple[Figures, ...]
    series: tuple[SeriesFigures, ...]
    total: Figures


def read_traffic(span: Span) -> Traffic:
    """Three queries at most."""
    pieces = read_pieces(span)
    by_series = sum_parts(pieces)
    names = Series.objects.filter(pk__in=by_series).values_list("pk", "operation_type", "model")
    total = RunningSum()
    for each in by_series.values():
        total.add(each.counts, each.longest, each.histogram)
    return Traffic(
        span=span,
        steps=tuple(chain.from_iterable(piece.steps for piece in pieces)),
        series=_worst_first(SeriesFigures(*name, by_series[name[0]].figures()) for name in names),
        total=total.figures(),
    )


def _worst_first(series: Iterable[SeriesFigures]) -> tuple[SeriesFigures, ...]:
    """Failures first, by their number; then what keeps callers waiting longest in all."""

    def hurt(each: SeriesFigures) -> tuple[int, float, str, str]:
        waited = (each.figures.p95 or 0.0) * each.figures.calls
        return -(each.figures.failed + each.figures.rejected), -waited, each.operation_type, each.model

    return tuple(sorted(series, key=hurt))
