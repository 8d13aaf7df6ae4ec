"""Charts over time: what Plotly draws, and the same points as rows for tables and files.

Figures are plain dictionaries in Plotly's JSON schema. They carry no colour: `meta` names the series, the
browser gives it the colour of the theme. Series differ by dash, marker or pattern too, so that they can be
told apart without colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.mark_words import look_of, title_of
from featurememory.observability.marks import Mark
from featurememory.observability.span import Span

Value = float | int | None
_UNMARKED = {"half_open", "disabled", "metrics_only"}
_SYMBOLS = {
    "open": "triangle-down",
    "forced_open": "square",
    "closed": "circle",
    "promoted": "triangle-up",
    "quarantined": "x",
    "retired": "line-ew-open",
    "deploy": "diamond",
    "note": "star",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """`rows` has a row for each point: its moment, or the range of values that it stands for in words; then a value
    for each of `columns`."""

    key: str
    title: str
    about: str
    summary: tuple[tuple[str, str], ...]
    figure: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[datetime | str, *tuple[Value, ...]], ...]
    empty: str = ""
    """In words why there is nothing to draw; empty when there is."""
    operations: str = ""
    """The address of the operations behind it, without their time; empty where there are none."""
    over: str = ""
    """What the first column holds where it is not time."""


def steps_of(span: Span) -> dict[str, Any]:
    """The x of a trace with a value for each step: the first, and milliseconds from one to the next."""
    return {"x0": iso(span.start), "dx": span.step_s * 1_000}


def iso(at: datetime) -> str:
    """To the second; every moment is in UTC."""
    return at.isoformat(timespec="seconds")[:19]


def line_of(
    span: Span, name: str, values: Sequence[Value], dash: str, symbol: str, hover: str
) -> dict[str, Any]:
    """A line with a value for each step of the span."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "meta": name.split(maxsplit=1)[0],
        **steps_of(span),
        "y": list(values),
        "line": {"dash": dash, "width": 1.75},
        "marker": {"symbol": symbol, "size": 4},
        "hovertemplate": hover,
    }


def right_axis(tickformat: str) -> dict[str, Any]:
    return {
        "overlaying": "y",
        "side": "right",
        "tickformat": tickformat,
        "tickmode": "auto",
        "rangemode": "tozero",
        "showgrid": False,
        "nticks": 4,
    }


def figure_of(
    span: Span, traces: list[dict[str, Any]], marks: Sequence[Mark], yaxis: dict[str, Any]
) -> dict[str, Any]:
    """The traces over time, with a line for each of `marks` that may explain what they do."""
    marks = [mark for mark in marks if mark.kind not in _UNMARKED]
    layout: dict[str, Any] = {
        "xaxis": {
            "type": "date",
            "range": [iso(span.start), iso(span.end)],
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


def _lines_at(marks: Iterable[Mark]) -> Iterator[dict[str, Any]]:
    """A line where each begins; of what lasts, the time it lasts as well."""
    for mark in marks:
        at = iso(mark.at)
        across = {"name": look_of(mark).tone, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
        line = {"width": 1, "dash": "dot"}
        yield across | {"type": "line", "x0": at, "x1": at, "line": line}
        if mark.until is not None:
            yield across | {"type": "rect", "x0": at, "x1": iso(mark.until), "line": {"width": 0}}


def _mark_points(marks: Sequence[Mark]) -> dict[str, Any]:
    """The markers at the lines' heads, which say on hovering what they are."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "changes",
        "meta": "marks",
        "x": [iso(mark.at) for mark in marks],
        "y": [0.98] * len(marks),
        "yaxis": "y9",
        "customdata": [look_of(mark).tone for mark in marks],
        "text": [title_of(mark) for mark in marks],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": [_SYMBOLS[mark.kind] for mark in marks], "size": 7},
        "showlegend": False,
    }


def rounded(value: float | None) -> float | None:
    """To four significant figures."""
    return None if value is None else float(f"{value:.4g}")
