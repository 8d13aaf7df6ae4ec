"""The golden signals as charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard import words
from dashboard.charts import Chart, Value, figure_of, line_of, right_axis, rounded, steps_of
from featurememory.observability.figures import Figures
from featurememory.observability.marks import Mark
from featurememory.observability.signals import Saturation
from featurememory.observability.span import Span
from featurememory.observability.traffic import Traffic

_FAR_APART = 30
_LEAST_ELAPSED = 0.5
"""A step of which less than this share is over says nothing about the rate yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What charts are drawn of: everything, or one series."""

    traffic: Traffic
    now: datetime
    marks: Sequence[Mark] = ()
    before: Traffic | None = None
    """The same of as long a time that lies `ago`, to compare with."""
    ago: str = ""
    operations: str = ""
    """As in Chart."""

    def behind(self, which: str) -> str:
        """The address of some of the operations; empty where there are none."""
        return f"{self.operations}{'&' if '?' in self.operations else '?'}{which}" if self.operations else ""

    def earlier(self, of: Callable[[Figures], Value]) -> list[list[Value]]:
        """One column of what was before, step by step; none where there is nothing to compare with."""
        return [[of(step) for step in self.before.steps]] if self.before else []


def golden_signals(shown: Shown, saturation: Saturation) -> tuple[Chart, ...]:
    """Latency, rate, errors and saturation, in this order."""
    return latency(shown), rate(shown), errors(shown), saturated(saturation, shown.marks)


def latency(shown: Shown) -> Chart:
    traffic = shown.traffic
    quantiles = (("p50", "solid", "circle"), ("p95", "dash", "square"), ("p99", "dot", "diamond"))
    values = [durations(traffic, name) for name, _, _ in quantiles]
    ghosts = shown.earlier(lambda step: rounded(step.p95))
    traces = [
        seconds_line(traffic.span, name, series, dash, symbol)
        for (name, dash, symbol), series in zip(quantiles, values, strict=True)
    ]
    traces += [
        _ghost(seconds_line(traffic.span, f"p95 {shown.ago}", ghost, "longdash", "x")) for ghost in ghosts
    ]
    return Chart(
        key="latency",
        title="Latency",
        about="how long the calls that ran took, from merged histograms with an error of at most 0.6 %",
        summary=tuple((name, words.duration(getattr(traffic.total, name))) for name, _, _ in quantiles),
        figure=figure_of(traffic.span, traces, shown.marks, seconds_axis(traffic)),
        columns=("p50 ms", "p95 ms", "p99 ms", *_ghost_columns(shown, "p95 ms")),
        rows=tuple(zip(traffic.span, *values, *ghosts, strict=True)),
        empty=nothing_ran(traffic),
        operations=shown.behind("order=slowest"),
    )


def rate(shown: Shown) -> Chart:
    traffic, now = shown.traffic, shown.now
    rates = [
        _per_second(step.calls, at, traffic.span.step_s, now)
        for at, step in zip(traffic.span, traffic.steps, strict=True)
    ]
    hover = "%{y:.3~g}/s"
    traces = [line_of(traffic.span, "calls", rates, "solid", "circle", hover) | {"fill": "tozeroy"}]
    ghosts = shown.earlier(lambda step: rounded(step.calls / traffic.span.step_s))
    traces += [
        _ghost(line_of(traffic.span, f"calls {shown.ago}", ghost, "longdash", "x", hover)) for ghost in ghosts
    ]
    seconds = max((min(traffic.span.end, now) - traffic.span.start).total_seconds(), 1.0)
    return Chart(
        key="rate",
        title="Rate",
        about="calls a second, rejected ones too",
        summary=(
            ("mean", words.rate(traffic.total.calls, seconds)),
            ("calls", words.count(traffic.total.calls)),
        ),
        figure=figure_of(
            traffic.span, traces, shown.marks, {"tickformat": "~g", "ticksuffix": "/s", "rangemode": "tozero"}
        ),
        columns=("calls", "calls per second", *_ghost_columns(shown, "calls per second")),
        rows=tuple(zip(traffic.span, (step.calls for step in traffic.steps), rates, *ghosts, strict=True)),
        empty=_nothing_in(traffic),
        operations=shown.operations,
    )


def errors(shown: Shown) -> Chart:
    traffic = shown.traffic
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
            **steps_of(traffic.span),
            "y": [getattr(step, outcome) for step in traffic.steps],
            "marker": {"pattern": {"shape": pattern, "size": 5, "solidity": 0.35, "fillmode": "overlay"}},
            "hovertemplate": "%{y:,}",
        }
        for outcome, name, pattern in outcomes
        if getattr(traffic.total, outcome)
    ]
    shares, hover = [_failed_share(step) for step in traffic.steps], "%{y:.3~p}"
    line = line_of(traffic.span, "failed share", shares, "dot", "circle-open", hover)
    traces.append(line | {"yaxis": "y2", "meta": "share"})
    ghosts = shown.earlier(_failed_share)
    for ghost in ghosts:
        line = line_of(traffic.span, f"failed share {shown.ago}", ghost, "longdash", "x", hover)
        traces.append(_ghost(line) | {"yaxis": "y2"})
    highest = max(step.calls - step.success for step in traffic.steps)
    figure = figure_of(
        traffic.span,
        traces,
        shown.marks,
        {"tickformat": "~s", "range": [0, max(4, highest * 1.1)], "nticks": 4},
    )
    figure["layout"] |= {"barmode": "stack", "bargap": 0.25, "yaxis2": right_axis(".2~p")}
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
        columns=(
            "failed share",
            "errors",
            "time-outs",
            "rejected",
            "cancelled",
            *_ghost_columns(shown, "failed share"),
        ),
        rows=tuple(
            (at, share, step.error, step.timeout, step.rejected, step.cancelled, *before)
            for at, share, step, *before in zip(traffic.span, shares, traffic.steps, *ghosts, strict=True)
        ),
        empty=_nothing_in(traffic) or _nothing_failed(total),
        operations=shown.behind("outcome=failed"),
    )


def saturated(saturation: Saturation, marks: Sequence[Mark]) -> Chart:
    fill = line_of(saturation.span, "queue", list(saturation.fill), "solid", "circle", "%{y:.3~p} full")
    commit = line_of(
        saturation.span,
        "commit p99",
        [None if value is None else value / 1000 for value in saturation.commit_ms_p99],
        "dash",
        "square",
        "%{y:.3~s}s",
    )
    figure = figure_of(
        saturation.span,
        [fill, commit | {"yaxis": "y2", "meta": "commit"}],
        marks,
        {"tickformat": "~p", "range": [0, max([0.1, *(value * 1.1 for value in saturation.fill if value)])]},
    )
    figure["layout"]["yaxis2"] = right_axis("~s") | {"ticksuffix": "s"}
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


def nothing_ran(traffic: Traffic) -> str:
    """In words why no duration can be shown; empty where one can."""
    return _nothing_in(traffic) or (
        "" if traffic.total.p50 is not None else "Every call was rejected; none ran."
    )


def _nothing_in(traffic: Traffic) -> str:
    return "" if traffic.total.calls else "No operation ended in this range."


def _nothing_failed(total: Figures) -> str:
    return (
        f"Nothing failed: {words.plural(total.calls, 'call')}, all succeeded."
        if total.calls == total.success
        else ""
    )


def _ghost(trace: dict[str, Any]) -> dict[str, Any]:
    """A line of what was before, over the time that is shown now."""
    return trace | {"meta": "ghost", "opacity": 0.75}


def _ghost_columns(shown: Shown, name: str) -> tuple[str, ...]:
    return (f"{name} {shown.ago}",) if shown.before else ()


def _failed_share(step: Figures) -> Value:
    return rounded(step.failed_share)


def _per_second(calls: int, at: datetime, step_s: int, now: datetime) -> float | None:
    elapsed = min((now - at).total_seconds(), step_s)
    return round(calls / elapsed, 4) if elapsed >= step_s * _LEAST_ELAPSED else None


def seconds_axis(traffic: Traffic) -> dict[str, Any]:
    """Logarithmic when the slowest and the fastest line lie so far apart that one would hug the ground."""
    slowest = max((step.p99 for step in traffic.steps if step.p99 is not None), default=0.0)
    fastest = min((step.p50 for step in traffic.steps if step.p50 is not None), default=0.0)
    axis = {"tickformat": "~s", "ticksuffix": "s"}
    if fastest and slowest / fastest > _FAR_APART:
        return axis | {"type": "log", "dtick": 1}
    return axis | {"rangemode": "tozero"}


def durations(traffic: Traffic, quantile: str) -> list[Value]:
    """A quantile of each step, in milliseconds."""
    return [rounded(getattr(step, quantile)) for step in traffic.steps]


def seconds_line(span: Span, name: str, values: Sequence[Value], dash: str, symbol: str) -> dict[str, Any]:
    """Milliseconds, drawn as seconds."""
    seconds = [None if value is None else value / 1000 for value in values]
    return line_of(span, name, seconds, dash, symbol, "%{y:.3~s}s")
