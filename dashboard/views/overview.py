"""The overview: what fires, the four golden signals, and which series hurt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.alert_rows import worst_open
from dashboard.budget_chart import budget_chart
from dashboard.charts import Chart
from dashboard.comparing import Comparison, asked_comparison
from dashboard.first_steps import any_operation_yet, read_first_steps
from dashboard.latency_charts import bands
from dashboard.mark_rows import MarkRow, rows_of
from dashboard.status import read_status
from dashboard.timerange import TimeRange
from dashboard.traffic_charts import Shown, errors, golden_signals, latency, rate, saturated
from dashboard.views.asked_range import asked_range
from dashboard.views.downloads import chart_file
from dashboard.views.signed_in import signed_in
from featurememory.observability.error_budget import read_budget
from featurememory.observability.marks import read_marks
from featurememory.observability.signals import Cardinality, read_cardinality, read_saturation
from featurememory.observability.traffic import SeriesFigures, Traffic, read_traffic

SERIES_SHOWN = 20
CHANGES_SHOWN = 6
ALERTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Signals:
    """What the charts, the table of series and the list of changes show."""

    traffic: Traffic
    charts: tuple[Chart, ...]
    changes: tuple[MarkRow, ...]
    cardinality: Cardinality

    @property
    def series(self) -> tuple[SeriesFigures, ...]:
        return self.traffic.series[:SERIES_SHOWN]

    @property
    def hidden_series(self) -> int:
        return len(self.traffic.series) - len(self.series)


@require_safe
@signed_in
def overview(request: HttpRequest) -> HttpResponse:
    """The whole page; the first steps while there is no operation."""
    now = timezone.now()
    status = read_status(now)
    time_range = asked_range(request, now)
    comparison = asked_comparison(request.GET)
    signals = _read_signals(time_range, comparison, now)
    context = {"status": status, "time_range": time_range, "more": comparison.query, **_alerts()}
    if not signals.cardinality.series:
        steps = read_first_steps(request.build_absolute_uri(reverse("overview")).rstrip("/"), now)
        return render(request, "overview/first_steps.html", context | {"steps": steps})
    return render(request, "overview/overview.html", context | {"signals": signals})


@require_safe
@signed_in
def overview_status(request: HttpRequest) -> HttpResponse:
    """What fires, for the refresh."""
    return render(request, "overview/_status.html", {"status": read_status(timezone.now()), **_alerts()})


@require_safe
@signed_in
def overview_signals(request: HttpRequest) -> HttpResponse:
    """Charts and tables, for the refresh."""
    now = timezone.now()
    time_range = asked_range(request, now)
    comparison = asked_comparison(request.GET)
    signals = _read_signals(time_range, comparison, now)
    context = {"time_range": time_range, "signals": signals, "more": comparison.query}
    return render(request, "overview/_signals.html", context)


@require_safe
@signed_in
def first_operation(request: HttpRequest) -> HttpResponse:
    """Nothing while nobody has sent an operation; then the page turns over."""
    if any_operation_yet():
        return HttpResponse(headers={"HX-Refresh": "true"})
    return HttpResponse(status=204)


@require_safe
@signed_in
def chart_csv(request: HttpRequest) -> HttpResponse:
    """`?signal=latency` and the page's range: the chart's points, a row each."""
    now = timezone.now()
    time_range = asked_range(request, now)
    read = _CHARTS.get(request.GET.get("signal", ""))
    if read is None:
        raise Http404(f"There is no such signal; choose one of {', '.join(_CHARTS)}.")
    return chart_file(request, read(time_range, asked_comparison(request.GET), now), time_range)


def _alerts() -> dict[str, Any]:
    rows, more = worst_open(ALERTS_SHOWN)
    return {"alerts": rows, "more_alerts": more}


def _read_signals(time_range: TimeRange, comparison: Comparison, now: datetime) -> Signals:
    """A score of queries at most, however much the range holds."""
    shown = replace(_shown(time_range, comparison, now), marks=read_marks(time_range.span))
    charts = (
        *golden_signals(shown, read_saturation(time_range.span, now)),
        bands(shown),
        budget_chart(read_budget(now)),
    )
    return Signals(shown.traffic, charts, rows_of(shown.marks[:CHANGES_SHOWN]), read_cardinality())


def _shown(time_range: TimeRange, comparison: Comparison, now: datetime) -> Shown:
    return Shown(
        read_traffic(time_range.span),
        now,
        before=read_traffic(time_range.earlier(comparison.by)) if comparison.by else None,
        ago=comparison.ago,
        operations=reverse("operations"),
    )


_CHARTS: dict[str, Callable[[TimeRange, Comparison, datetime], Chart]] = {
    "latency": lambda *asked: latency(_shown(*asked)),
    "rate": lambda *asked: rate(_shown(*asked)),
    "errors": lambda *asked: errors(_shown(*asked)),
    "saturation": lambda time_range, _, now: saturated(read_saturation(time_range.span, now), ()),
    "bands": lambda *asked: bands(_shown(*asked)),
    "budget": lambda _time_range, _comparison, now: budget_chart(read_budget(now)),
}
"""Each signal's chart by itself, without the lines of what changed."""
