"""What a rule looks at, with its threshold: around an alert's start, and over the past that a rule is tried on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dashboard.alert_words import labels_in_words, value_in_words
from dashboard.charts import Chart, Value, figure_of, line_of
from featurememory.alerts.backtest import Backtest, BacktestSeries
from featurememory.alerts.rules import Rule
from featurememory.alerts.signals import SIGNALS
from featurememory.alerts.stored_rules import rule_of
from featurememory.models import Alert
from featurememory.models.rollup import OTHER
from featurememory.observability.span import Span

BEFORE, AFTER = timedelta(minutes=45), timedelta(minutes=30)
LONGEST = timedelta(hours=12)
STEP_S = 60
_IN_A_NARROW_LEGEND = 3
"""Where a phone shows more lines, they are named on hovering and in the table: the legend would take their room."""
_DASHES = (
    ("solid", "circle"),
    ("dash", "square"),
    ("dot", "diamond"),
    ("dashdot", "cross"),
    ("longdash", "x"),
)
_INKS = ("first", "second", "third", "p99", "rejected")


def alert_chart(alert: Alert, now: datetime) -> Chart | None:
    """What its rule looks at, minute by minute, from before it began until it was over; None where its signal has no
    past, or it came from elsewhere."""
    row = alert.rule
    if row is None or row.signal not in SIGNALS:
        return None
    signal = SIGNALS[row.signal]
    if not signal.has_past:
        return None
    start = alert.started_at - BEFORE
    end = min((alert.resolved_at or now) + AFTER, now + timedelta(seconds=STEP_S), start + LONGEST)
    span = Span.covering(start, end, STEP_S)
    own = {name: alert.labels.get(name, "") for name in signal.labels}
    values = next(
        (line.values for line in signal.read(span) if all(line.labels.get(n) == v for n, v in own.items())),
        (),
    )
    rule = rule_of(row)
    return _chart(
        span,
        signal.title,
        f"{signal.description[:1].lower()}{signal.description[1:].rstrip('.')}, minute by minute",
        [("value", list(values) or [None] * len(span))],
        rule.threshold if rule.kind == "threshold" else None,
        signal.unit,
        alert.started_at,
        (("value", value_in_words(alert.value)), ("peak", value_in_words(alert.peak))),
    )


def trial_chart(rule: Rule, tried: Backtest, now: datetime) -> Chart | None:
    """None where there is nothing to draw."""
    if not tried.series or not tried.series[0].points:
        return None
    moments = [at for at, _ in tried.series[0].points]
    step_s = int((moments[1] - moments[0]).total_seconds()) if len(moments) > 1 else STEP_S
    span = Span(moments[0], moments[-1] + timedelta(seconds=step_s), step_s)
    return _chart(
        span,
        f"{SIGNALS[rule.signal].title} in the last {tried.days:g} days",
        "those that would have fired most, at most five",
        [(_name(each), [value for _, value in each.points]) for each in tried.series],
        tried.threshold,
        tried.unit,
        None,
        (("would have fired", f"{len(tried.firings)} ×"),),
        _short_names(tried.series),
    )


def _chart(
    span: Span,
    title: str,
    about: str,
    series: Sequence[tuple[str, list[Value]]],
    threshold: float | None,
    unit: str,
    began: datetime | None,
    summary: tuple[tuple[str, str], ...],
    legend: Sequence[str] = (),
) -> Chart:
    """`legend` has the names of the lines where those of the columns are too long to stand in it."""
    columns = [name for name, _ in series]
    traces = [
        line_of(span, name, values, *_DASHES[place], hover="%{y:.4~g} " + unit) | {"meta": _INKS[place]}
        for place, (name, (_, values)) in enumerate(zip(legend or columns, series, strict=True))
    ]
    rows: list[list[Value]] = [list(values) for _, values in series]
    if threshold is not None:
        line = line_of(span, "threshold", [threshold] * len(span), "dash", "circle", "%{y:.4~g} " + unit)
        traces.append(line | {"mode": "lines", "meta": "limit"})
        columns.append("threshold")
        rows.append([threshold] * len(span))
    figure: dict[str, Any] = figure_of(span, traces, (), {"tickformat": "~g", "rangemode": "tozero"})
    if len(series) > _IN_A_NARROW_LEGEND:
        figure["layout"]["meta"] = "many lines"
    if began is not None:
        at = began.isoformat(timespec="seconds")[:19]
        shape = {"type": "line", "name": "open", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper"}
        figure["layout"]["shapes"] = [shape | {"layer": "below", "line": {"width": 1, "dash": "dot"}}]
    has_any = any(value is not None for _, values in series for value in values)
    return Chart(
        key="signal",
        title=title,
        about=about,
        summary=summary,
        figure=figure,
        columns=tuple(columns),
        rows=tuple(zip(span, *rows, strict=True)),
        empty="" if has_any else "There are no figures of this time any more.",
    )


def _short_names(series: Sequence[BacktestSeries]) -> list[str]:
    """The model alone where no other line has it: long names in the legend take the room of the lines."""
    models = [each.labels.get("model", "") for each in series]
    times = Counter(models)
    return [
        model if model not in ("", OTHER) and times[model] == 1 else _name(each)
        for model, each in zip(models, series, strict=True)
    ]


def _name(series: BacktestSeries) -> str:
    return labels_in_words(series.labels) or "all"
