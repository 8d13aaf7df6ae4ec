"""The models, or rather: each operation type with each model, as small multiples over one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from dashboard import words
from dashboard.file_columns import MOST_ROWS, Columns
from dashboard.sparklines import Sparkline, bars_of, line_through
from dashboard.timerange import DAY_S, HOUR_S, TimeRange
from featurememory.models import Breaker, Series
from featurememory.observability.figures import Figures
from featurememory.observability.marks import Scope
from featurememory.observability.span import Span
from featurememory.observability.traffic import SeriesFigures, Traffic, read_traffic, read_traffic_of_each

A_PAGE = 12
MOST_SMALL = 60
"""Points of a small drawing."""
_FAILED_AT_LEAST = 0.05
"""What the drawing of failures reaches up to: a bar of one in a thousand is not to look like the end of the world."""
ORDERS: Mapping[str, tuple[str, Callable[[SeriesFigures], tuple[float | str, ...]]]] = {
    "worst": ("Worst first", lambda each: ()),
    "slowest": ("Slowest first", lambda each: (-(each.figures.p95 or -1.0),)),
    "busiest": ("Busiest first", lambda each: (-each.figures.calls,)),
    "name": ("By name", lambda each: (each.operation_type, each.model)),
}
"""By key: in words, and what is sorted by; what hurts most is how traffic comes."""
EXPORTED: Columns[SeriesFigures] = {
    "operation_type": lambda row: row.operation_type,
    "model": lambda row: row.model,
    "calls": lambda row: row.figures.calls,
    "success": lambda row: row.figures.success,
    "error": lambda row: row.figures.error,
    "timeout": lambda row: row.figures.timeout,
    "cancelled": lambda row: row.figures.cancelled,
    "rejected": lambda row: row.figures.rejected,
    "failed_share": lambda row: row.figures.failed_share,
    "p50_ms": lambda row: row.figures.p50,
    "p95_ms": lambda row: row.figures.p95,
    "p99_ms": lambda row: row.figures.p99,
    "longest_ms": lambda row: row.figures.longest,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which models, in which order, from which on."""

    text: str = ""
    order: str = "worst"
    first: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filter:
        order, first = query.get("order", ""), query.get("first", "")
        return cls(
            query.get("text", "").replace("\0", "").strip()[:200],
            order if order in ORDERS else "worst",
            int(first) // A_PAGE * A_PAGE if first.isascii() and first.isdigit() and len(first) < 9 else 0,
        )

    def query(self, time_range: TimeRange, **changes: str | int) -> str:
        """The address of the page with this filter, behind its "?"."""
        said = {"text": self.text, "order": self.order, "first": self.first} | changes
        defaults = {"text": "", "order": "worst", "first": 0}
        return "&".join(
            [
                time_range.query,
                urlencode({name: each for name, each in said.items() if each != defaults[name]}),
            ]
        ).rstrip("&")


@dataclass(frozen=True, slots=True)
class Small:
    """One figure of a model over time."""

    name: str
    now: str
    highest: str
    line: Sparkline
    ink: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    id: int
    operation_type: str
    model: str
    figures: Figures
    breaker: words.Look | None
    small: tuple[Small, ...]
    rows: tuple[tuple[datetime, Figures], ...]

    @property
    def name(self) -> str:
        return f"{self.operation_type} {self.model}".strip()

    @property
    def breaker_name(self) -> str:
        return Scope(self.operation_type, self.model).breaker


@dataclass(frozen=True, slots=True)
class ModelPage:
    cards: tuple[ModelCard, ...]
    total: int
    matching: int
    """How many the filter finds; a page has the cards of twelve."""
    any_ever: bool
    step_phrase: str


def read_models(chosen: Filter, time_range: TimeRange, now: datetime) -> ModelPage:
    """Thirty queries at most, however many models there are and however long the range is."""
    everything = read_traffic(time_range.span).series
    found = _choose(everything, chosen)
    page = found[chosen.first : chosen.first + A_PAGE]
    small = replace(time_range, span=small_span(time_range.span))
    steps = read_traffic_of_each(small.span, [each.id for each in page])
    states = _states([Scope(each.operation_type, each.model).breaker for each in page])
    return ModelPage(
        tuple(_card(each, steps[each.id], states, now) for each in page),
        len(everything),
        len(found),
        bool(everything) or Series.objects.exists(),
        small.step_phrase,
    )


def exported(chosen: Filter, time_range: TimeRange) -> list[SeriesFigures]:
    """All that the filter finds, in its order; three queries."""
    return _choose(read_traffic(time_range.span).series, chosen)[:MOST_ROWS]


def _choose(series: Sequence[SeriesFigures], chosen: Filter) -> list[SeriesFigures]:
    wanted = chosen.text.casefold()
    found = [each for each in series if wanted in f"{each.operation_type} {each.model}".casefold()]
    return sorted(found, key=ORDERS[chosen.order][1])


def small_span(span: Span) -> Span:
    """The same time in steps as long as few points need, of whole minutes, hours or days."""
    length = (span.end - span.start).total_seconds()
    if length <= 6 * HOUR_S:
        steps: Sequence[int] = (60, 120, 300, 600)
    else:
        steps = (HOUR_S, 2 * HOUR_S, 6 * HOUR_S, DAY_S, 2 * DAY_S, 5 * DAY_S, 10 * DAY_S)
    step = next((each for each in steps if length / each <= MOST_SMALL), steps[-1])
    return Span.covering(span.start, span.end - timedelta(seconds=1), max(step, span.step_s))


def _states(names: Sequence[str]) -> dict[str, words.Look]:
    rows = Breaker.objects.filter(name__in=names).values_list("name", "state")
    return {name: words.BREAKER_STATES[state] for name, state in rows}


def _card(
    series: SeriesFigures, traffic: Traffic, states: Mapping[str, words.Look], now: datetime
) -> ModelCard:
    scope = Scope(series.operation_type, series.model)
    return ModelCard(
        series.id,
        series.operation_type,
        series.model,
        series.figures,
        states.get(scope.breaker),
        small_multiples(traffic, now),
        tuple(zip(traffic.span, traffic.steps, strict=True)),
    )


def small_multiples(traffic: Traffic, now: datetime) -> tuple[Small, ...]:
    """Rate, failures and latency: what one is told of any service (RED)."""
    total, steps, step_s = traffic.total, traffic.steps, traffic.span.step_s
    begun = [min(step_s, max((now - at).total_seconds(), 1.0)) for at in traffic.span]
    rates = [step.calls / seconds for step, seconds in zip(steps, begun, strict=True)]
    shares, p95 = [step.failed_share for step in steps], [step.p95 for step in steps]
    most_failed = max((each for each in shares if each is not None), default=0.0)
    slowest = max((each for each in p95 if each is not None), default=0.0)
    busiest = max(rates, default=0.0)
    seconds = max(sum(begun), 1.0)
    called = [rate if step.calls else 0.0 for rate, step in zip(rates, steps, strict=True)]
    busy = words.rate(round(busiest * HOUR_S), HOUR_S)
    return (
        Small("rate", words.rate(total.calls, seconds), busy, line_through(called, busiest), "calls"),
        Small(
            "failed",
            words.share(total.failed_share),
            words.share(most_failed),
            bars_of(shares, max(most_failed, _FAILED_AT_LEAST)),
            "error",
        ),
        Small(
            "p95",
            words.duration(total.p95),
            words.duration(slowest or None),
            line_through(p95, slowest),
            "p95",
        ),
    )
