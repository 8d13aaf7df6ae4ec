"""The golden signals as charts: what Plotly draws, and the same points as rows for tables and CSV.

Figures are plain dictionaries in Plotly's JSON schema. They carry no colour: `meta` names the series, the
browser gives it the colour of the theme. Series differ by dash, marker or pattern too, so that they can be
told apart without colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from dashboard import words
from featurememory.observability.figures import Figures
from featurememory.observability.signals import Saturation, TransitionSeen
from featurememory.observability.span import Span
from featurememory.observability.traffic import Traffic

Value = float | int | None
_MARKED = {"open", "forced_open", "closed"}
_SYMBOLS = {"open": "triangle-down", "forced_open": "square", "closed": "circle"}
_FAR_APART = 30
_LEAST_ELAPSED = 0.5
"""A step of which less than this share is over says nothing about the rate yet."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One signal. `rows` has a row for each point: its moment, then a value for each of `columns`."""

    key: str
    title: str
    about: str
    summary: tuple[tuple[str, str], ...]
    figure: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[datetime, *tuple[Value, ...]], ...]
    empty: str = ""
    """In words why there is nothing to draw; empty when there is."""


def golden_signals(
    traffic: Traffic, saturation: Saturation, transitions: Sequence[TransitionSeen], now: datetime
) -> tuple[Chart, ...]:
    """Latency, rate, errors and saturation, in this order."""
    marks = [each for each in transitions if each.to_state in _MARKED]
    return (
        latency(traffic, marks),
        rate(traffic, marks, now),
        errors(traffic, marks),
        saturated(saturation, marks),
    )


def latency(traffic: Traffic, marks: Sequence[TransitionSeen]) -> Chart:
    quantiles = (("p50", "solid", "circle"), ("p95", "dash", "square"), ("p99", "dot", "diamond"))
    traces = [
        _line(
            traffic.span,
            name,
            [_rounded(getattr(step, name)) for step in traffic.steps],
            dash,
            symbol,
            "%{y:.3~s}s",
        )
        for name, dash, symbol in quantiles
    ]
    for trace in traces:
        trace["y"] = [None if value is None else value / 1000 for value in trace["y"]]
    return Chart(
        key="latency",
        title="Latency",
        about="how long the calls that ran took, from merged histograms with an error of at most 0.6 %",
        summary=tuple((name, words.duration(getattr(traffic.total, name))) for name, _, _ in quantiles),
        figure=_figure(traffic.span, traces, marks, _seconds_axis(traffic)),
        columns=("p50 ms", "p95 ms", "p99 ms"),
        rows=_rows(traffic, lambda step: (_rounded(step.p50), _rounded(step.p95), _rounded(step.p99))),
        empty=_nothing_in(traffic)
        or ("" if traffic.total.p50 is not None else "Every call was rejected; none ran."),
    )


def rate(traffic: Traffic, marks: Sequence[TransitionSeen], now: datetime) -> Chart:
    rates = [
        _per_second(step.calls, at, traffic.span.step_s, now)
        for at, step in zip(traffic.span, traffic.steps, strict=True)
    ]
    trace = _line(traffic.span, "calls", rates, "solid", "circle", "%{y:.3~g}/s") | {"fill": "tozeroy"}
    seconds = max((min(traffic.span.end, now) - traffic.span.start).total_seconds(), 1.0)
    return Chart(
        key="rate",
        title="Rate",
        about="calls a second, rejected ones too",
        summary=(
            ("mean", words.rate(traffic.total.calls, seconds)),
            ("calls", words.count(traffic.total.calls)),
        ),
        figure=_figure(
            traffic.span, [trace], marks, {"tickformat": "~g", "ticksuffix": "/s", "rangemode": "tozero"}
        ),
        columns=("calls", "calls per second"),
        rows=tuple(
            (at, step.calls, per_second)
            for at, step, per_second in zip(traffic.span, traffic.steps, rates, strict=True)
        ),
        empty=_nothing_in(traffic),
    )


def errors(traffic: Traffic, marks: Sequence[TransitionSeen]) -> Chart:
    outcomes = (
        ("error", "errors", ""),
        ("timeout", "time-outs", "/"),
        ("rejected", "rejected", "x"),
        ("cancelled", "cancelled", "."),
    )
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": name,
            "meta": outcome,
            "x": _moments(traffic.span),
            "y": [getattr(step, outcome) for step in traffic.steps],
            "marker": {"pattern": {"shape": pattern, "size": 5, "solidity": 0.35, "fillmode": "overlay"}},
            "hovertemplate": "%{y:,}",
        }
        for outcome, name, pattern in outcomes
        if getattr(traffic.total, outcome)
    ]
    shares = _line(
        traffic.span,
        "failed share",
        [_rounded(step.failed_share) for step in traffic.steps],
        "dot",
        "circle-open",
        "%{y:.3~p}",
    )
    traces.append(shares | {"yaxis": "y2", "meta": "share"})
    highest = max(step.calls - step.success for step in traffic.steps)
    figure = _figure(
        traffic.span, traces, marks, {"tickformat": "~s", "range": [0, max(4, highest * 1.1)], "nticks": 4}
    )
    figure["layout"] |= {"barmode": "stack", "bargap": 0.25, "yaxis2": _right_axis(".2~p")}
    total = traffic.total
    return Chart(
        key="errors",
        title="Errors",
        about="calls that did not succeed; the share is of errors and time-outs among the calls that ran",
        summary=(
            ("failed", words.share(total.failed_share)),
            ("errors", words.count(total.error)),
            ("time-outs", words.count(total.timeout)),
            ("rejected", words.count(total.rejected)),
        ),
        figure=figure,
        columns=("failed share", "errors", "time-outs", "rejected", "cancelled"),
        rows=_rows(
            traffic,
            lambda step: (
                _rounded(step.failed_share),
                step.error,
                step.timeout,
                step.rejected,
                step.cancelled,
            ),
        ),
        empty=_nothing_in(traffic) or _nothing_failed(total),
    )


def saturated(saturation: Saturation, marks: Sequence[TransitionSeen]) -> Chart:
    fill = _line(saturation.span, "queue", list(saturation.fill), "solid", "circle", "%{y:.3~p} full")
    commit = _line(
        saturation.span,
        "commit p99",
        [None if value is None else value / 1000 for value in saturation.commit_ms_p99],
        "dash",
        "square",
        "%{y:.3~s}s",
    )
    figure = _figure(
        saturation.span,
        [fill, commit | {"yaxis": "y2", "meta": "commit"}],
        marks,
        {"tickformat": "~p", "range": [0, max([0.1, *(value * 1.1 for value in saturation.fill if value)])]},
    )
    figure["layout"]["yaxis2"] = _right_axis("~s") | {"ticksuffix": "s"}
    fullest = max((writer.fill for writer in saturation.writers), default=None)
    seen = any(value is not None for value in saturation.fill)
    return Chart(
        key="saturation",
        title="Saturation",
        about="the fullest ingestion queue of all web processes, and how long its commits took",
        summary=(
            ("queue now", words.share(fullest)),
            ("refused", words.count(saturation.refused) if saturation.writers else words.NOTHING),
            ("dropped by senders", words.count(saturation.dropped)),
        ),
        figure=figure,
        columns=("queue share", "commit p99 ms"),
        rows=tuple(zip(saturation.span, saturation.fill, saturation.commit_ms_p99, strict=True)),
        empty="" if seen else "No process reported its queue in this range.",
    )


def _nothing_in(traffic: Traffic) -> str:
    return "" if traffic.total.calls else "No operation ended in this range."


def _nothing_failed(total: Figures) -> str:
    return (
        f"Nothing failed: {words.plural(total.calls, 'call')}, all succeeded."
        if total.calls == total.success
        else ""
    )


def _rows(traffic: Traffic, values: Callable[[Figures], tuple[Value, ...]]) -> tuple[Any, ...]:
    return tuple((at, *values(step)) for at, step in zip(traffic.span, traffic.steps, strict=True))


def _per_second(calls: int, at: datetime, step_s: int, now: datetime) -> float | None:
    elapsed = min((now - at).total_seconds(), step_s)
    return round(calls / elapsed, 4) if elapsed >= step_s * _LEAST_ELAPSED else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@lru_cache(16)
def _moments(span: Span) -> tuple[str, ...]:
    """When each step begins: the same for all traces of a page."""
    return tuple(map(_iso, span))


def _iso(at: datetime) -> str:
    """To the second; every moment is in UTC."""
    return at.isoformat(timespec="seconds")[:19]


def _line(
    span: Span, name: str, values: Sequence[Value], dash: str, symbol: str, hover: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "meta": name.split(maxsplit=1)[0],
        "x": _moments(span),
        "y": list(values),
        "line": {"dash": dash, "width": 1.75},
        "marker": {"symbol": symbol, "size": 4},
        "hovertemplate": hover,
    }


def _right_axis(tickformat: str) -> dict[str, Any]:
    return {
        "overlaying": "y",
        "side": "right",
        "tickformat": tickformat,
        "tickmode": "auto",
        "rangemode": "tozero",
        "showgrid": False,
        "nticks": 4,
    }


def _seconds_axis(traffic: Traffic) -> dict[str, Any]:
    """Logarithmic when the slowest and the fastest line lie so far apart that one would hug the ground."""
    slowest = max((step.p99 for step in traffic.steps if step.p99 is not None), default=0.0)
    fastest = min((step.p50 for step in traffic.steps if step.p50 is not None), default=0.0)
    axis = {"tickformat": "~s", "ticksuffix": "s"}
    if fastest and slowest / fastest > _FAR_APART:
        return axis | {"type": "log", "dtick": 1}
    return axis | {"rangemode": "tozero"}


def _figure(
    span: Span, traces: list[dict[str, Any]], marks: Sequence[TransitionSeen], yaxis: dict[str, Any]
) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": {
            "type": "date",
            "range": [_iso(span.start), _iso(span.end)],
            "showgrid": False,
            "nticks": 7,
            "tickformat": "%H:%M" if span.end - span.start <= timedelta(days=1) else "%b %e",
        },
        "yaxis": {"nticks": 5} | yaxis,
        "hovermode": "x unified",
        "showlegend": len(traces) > 1,
        "shapes": list(_lines_at(marks)),
    }
    if marks:
        traces = [*traces, _mark_points(marks)]
        layout["yaxis9"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    return {"data": traces, "layout": layout}


def _lines_at(marks: Iterable[TransitionSeen]) -> Iterable[dict[str, Any]]:
    for mark in marks:
        at = _iso(mark.at)
        yield {
            "type": "line",
            "name": mark.to_state,
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "layer": "below",
            "line": {"width": 1, "dash": "dot"},
        }


def _mark_points(marks: Sequence[TransitionSeen]) -> dict[str, Any]:
    """The markers at the lines' heads, which say on hovering what they are."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "breaker changes",
        "meta": "marks",
        "x": [_iso(mark.at) for mark in marks],
        "y": [0.98] * len(marks),
        "yaxis": "y9",
        "customdata": [mark.to_state for mark in marks],
        "text": [f"{mark.breaker}: {words.BREAKER_STATES[mark.to_state].word.lower()}" for mark in marks],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": [_SYMBOLS[mark.to_state] for mark in marks], "size": 7},
        "showlegend": False,
    }
