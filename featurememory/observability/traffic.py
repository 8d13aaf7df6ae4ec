"""The first three golden signals of a span: latency, rate and errors, from rollups alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from featurememory.models import Series
from featurememory.models.rollup import OTHER
from featurememory.observability.figures import Figures, RunningSum
from featurememory.observability.histogram import Histogram
from featurememory.observability.history import PAST, Piece, Reading, Remembered, sum_parts
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
    distribution: Histogram = field(default_factory=Histogram, compare=False)
    """How long the calls of the whole span took."""


_KNOWN: Remembered[Traffic] = Remembered(24)
"""What was shown last: pages that are open at the same time, and the day or the week before, ask for it again."""


def read_traffic(span: Span, series: Sequence[int] | None = None) -> Traffic:
    """Of all series or of some; three queries at most."""
    reading = Reading(span, series)
    mark = reading.mark
    if known := _KNOWN.get(reading.place, mark):
        return known
    traffic = _traffic_of(span, reading.pieces())
    _KNOWN.put(reading.place, mark, traffic)
    return traffic


def read_steps(span: Span, series: Sequence[int] | None = None) -> tuple[Figures, ...]:
    """Its steps alone; two queries at most."""
    return _steps_of(Reading(span, series).pieces())


def read_traffic_of_each(span: Span, series: Sequence[int]) -> dict[int, Traffic]:
    """The same of each of some series by itself; a query, and two more for each."""
    found = Reading(span, ()).of_each(series)
    return {each: _traffic_of(span, pieces) for each, pieces in found.items()}


def forget() -> None:
    """All that this process remembers of traffic."""
    _KNOWN.forget()
    PAST.forget()


def _traffic_of(span: Span, pieces: Sequence[Piece]) -> Traffic:
    by_series = sum_parts(pieces)
    names = Series.objects.filter(pk__in=by_series).values_list("pk", "operation_type", "model")
    total = RunningSum()
    for each in by_series.values():
        total.add(each.counts, each.longest, each.histogram)
    return Traffic(
        span=span,
        steps=_steps_of(pieces),
        series=_worst_first(SeriesFigures(*name, by_series[name[0]].figures()) for name in names),
        total=total.figures(),
        distribution=total.histogram.histogram(),
    )


def _steps_of(pieces: Iterable[Piece]) -> tuple[Figures, ...]:
    return tuple(chain.from_iterable(piece.steps for piece in pieces))


def _worst_first(series: Iterable[SeriesFigures]) -> tuple[SeriesFigures, ...]:
    """Failures first, by their number; then what keeps callers waiting longest in all."""

    def hurt(each: SeriesFigures) -> tuple[int, float, str, str]:
        waited = (each.figures.p95 or 0.0) * each.figures.calls
        return -(each.figures.failed + each.figures.rejected), -waited, each.operation_type, each.model

    return tuple(sorted(series, key=hurt))
