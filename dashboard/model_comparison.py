"""Two models side by side over the same time: charts with a line of each, and how many times their figures differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dashboard import words
from dashboard.charts import Chart, Value, figure_of, line_of, rounded
from dashboard.timerange import TimeRange
from featurememory.models import Series
from featurememory.observability.figures import Figures
from featurememory.observability.traffic import Traffic, read_traffic_of_each

MOST_NAMES = 1_000
_STYLES = (("solid", "circle", "first"), ("dash", "square", "second"))


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    one: str
    other: str
    differs: str


@dataclass(frozen=True, slots=True)
class Both:
    one: Series
    other: Series
    rows: tuple[Row, ...]
    charts: tuple[Chart, ...]


def names_of_models() -> list[tuple[int, str]]:
    """To choose from, at most a thousand; one query."""
    rows = Series.objects.order_by("operation_type", "model").values_list("pk", "operation_type", "model")
    return [(pk, f"{operation_type} {model}".strip()) for pk, operation_type, model in rows[:MOST_NAMES]]


def compare_models(one: int, other: int, time_range: TimeRange, now: datetime) -> Both | None:
    """None where one of them is not there; six queries at most."""
    series = Series.objects.in_bulk([one, other])
    if one not in series or other not in series:
        return None
    traffic = read_traffic_of_each(time_range.span, [one, other])
    pair = (traffic[one], traffic[other])
    names = (_named(series[one]), _named(series[other]))
    seconds = max((min(time_range.span.end, now) - time_range.span.start).total_seconds(), 1.0)
    return Both(
        series[one], series[other], _rows(pair[0].total, pair[1].total, seconds), _charts(pair, names)
    )


def _named(series: Series) -> str:
    return f"{series.operation_type} {series.model}".strip()


def _rows(one: Figures, other: Figures, seconds: float) -> tuple[Row, ...]:
    durations = tuple(
        Row(name, words.duration(a), words.duration(b), _ratio(a, b))
        for name, a, b in (
            (name, getattr(one, name), getattr(other, name)) for name in ("p50", "p95", "p99", "longest")
        )
    )
    return (
        Row("calls", words.count(one.calls), words.count(other.calls), _ratio(one.calls, other.calls)),
        Row("rate", words.rate(one.calls, seconds), words.rate(other.calls, seconds), ""),
        Row("failed", words.share(one.failed_share), words.share(other.failed_share),
            _ratio(one.failed_share, other.failed_share)),
        Row("rejected", words.count(one.rejected), words.count(other.rejected), ""),
        *durations,
    )  # fmt: skip


def _ratio(one: float | None, other: float | None) -> str:
    """How many times the first the second is."""
    if not one or other is None:
        return words.NOTHING
    return f"×{words.NBSP}{other / one:.2g}" if other / one < 100 else f"×{words.NBSP}{other / one:,.0f}"


def _charts(pair: tuple[Traffic, Traffic], names: tuple[str, str]) -> tuple[Chart, ...]:
    return (
        _chart("p50", "Median latency", "half of the calls took at most as long", pair, names,
               lambda step, _: _seconds(step.p50), "s"),
        _chart("p95", "Latency, p95", "95 of 100 calls took at most as long", pair, names,
               lambda step, _: _seconds(step.p95), "s"),
        _chart("rate", "Rate", "calls a second, rejected ones too", pair, names,
               lambda step, step_s: rounded(step.calls / step_s), "/s"),
        _chart("failed", "Failed", "errors and time-outs among the calls that ran", pair, names,
               lambda step, _: rounded(step.failed_share), ""),
    )  # fmt: skip


def _chart(
    key: str,
    title: str,
    about: str,
    pair: tuple[Traffic, Traffic],
    names: tuple[str, str],
    of: Callable[[Figures, int], Value],
    unit: str,
) -> Chart:
    span = pair[0].span
    values = [[of(step, span.step_s) for step in traffic.steps] for traffic in pair]
    form = "~s" if unit == "s" else "~g" if unit else "~p"
    hover = f"%{{y:.3{form}}}{unit}"
    traces = [
        line_of(span, name, series, dash, symbol, hover) | {"meta": ink}
        for name, series, (dash, symbol, ink) in zip(names, values, _STYLES, strict=True)
    ]
    axis = {"tickformat": form, "ticksuffix": unit}
    nothing = all(value is None for series in values for value in series)
    return Chart(
        key=key,
        title=title,
        about=about,
        summary=(),
        figure=figure_of(span, traces, (), axis | {"rangemode": "tozero"}),
        columns=tuple(f"{name}{f' {unit}' if unit else ''}" for name in names),
        rows=tuple(zip(span, *values, strict=True)),
        empty="Neither of them had a call that ran in this range." if nothing else "",
    )


def _seconds(milliseconds: float | None) -> float | None:
    return rounded(None if milliseconds is None else milliseconds / 1_000)
