"""What passed and what failed over time, as a chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dashboard import words
from dashboard.charts import Chart
from dashboard.timerange import TimeRange
from featurememory.observability.span import Span
from featurememory.validation.summary import Counts, Summary

HOUR_S = 3_600


def by_whole_hours(time_range: TimeRange) -> TimeRange:
    """The range as it can be shown: tallies are by the hour."""
    span = time_range.span
    return replace(time_range, span=Span.covering(span.start, span.end, max(HOUR_S, span.step_s)))


def validation_chart(summary: Summary, time_range: TimeRange) -> Chart:
    span, total = time_range.span, summary.counts
    steps = _by_step(summary, span)
    moments = [_iso(at) for at in span]
    traces = [
        _bars("passed", "calls", moments, [each.passed for each in steps], ""),
        _bars("failed", "error", moments, [each.failed for each in steps], "/"),
        _pass_rate(moments, [each.pass_rate for each in steps]),
    ]
    return Chart(
        key="validations",
        title="Validations",
        about="how many results passed and failed; counted by the hour in which they came",
        summary=(
            ("passed", words.share(total.pass_rate)),
            ("failures", words.count(total.failed)),
            ("validated", words.count(total.total)),
        ),
        figure={"data": traces, "layout": _layout(span)},
        columns=("passed", "failed", "pass rate"),
        rows=tuple(
            (at, each.passed, each.failed, _rounded(each.pass_rate))
            for at, each in zip(span, steps, strict=True)
        ),
        empty="" if total.total else f"Nothing was validated in {time_range.phrase}.",
    )


def _by_step(summary: Summary, span: Span) -> list[Counts]:
    steps = [Counts()] * len(span)
    for hour, counts in summary.by_hour.items():
        at = span.index_of(hour)
        steps[at] = Counts(steps[at].passed + counts.passed, steps[at].failed + counts.failed)
    return steps


def _bars(name: str, ink: str, moments: list[str], counts: list[int], pattern: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "meta": ink,
        "x": moments,
        "y": counts,
        "marker": {"pattern": {"shape": pattern, "size": 5, "solidity": 0.35, "fillmode": "overlay"}},
        "hovertemplate": "%{y:,}",
    }


def _pass_rate(moments: list[str], rates: list[float | None]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "pass rate",
        "meta": "share",
        "x": moments,
        "y": [_rounded(each) for each in rates],
        "yaxis": "y2",
        "line": {"dash": "dot", "width": 1.75},
        "marker": {"symbol": "circle-open", "size": 4},
        "hovertemplate": "%{y:.4~p}",
    }


def _layout(span: Span) -> dict[str, Any]:
    return {
        "xaxis": {
            "type": "date",
            "range": [_iso(span.start), _iso(span.end)],
            "showgrid": False,
            "nticks": 7,
            "tickformat": "%H:%M" if span.end - span.start <= timedelta(days=2) else "%b %e",
        },
        "yaxis": {"nticks": 5, "tickformat": "~s", "rangemode": "tozero"},
        "yaxis2": {
            "overlaying": "y",
            "side": "right",
            "tickformat": ".3~p",
            "tickmode": "auto",
            "range": [0, 1.02],
            "showgrid": False,
            "nticks": 4,
        },
        "barmode": "stack",
        "bargap": 0.25,
        "hovermode": "x unified",
        "showlegend": True,
        "shapes": [],
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")[:19]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
