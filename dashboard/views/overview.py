"""The overview: what fires, the four golden signals, and which series hurt."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.charts import Chart, errors, golden_signals, latency, rate, saturated
from dashboard.first_steps import any_operation_yet, read_first_steps
from dashboard.status import read_status
from dashboard.timerange import PRESET_WORDS, TimeRange, read_time_range
from dashboard.views.signed_in import signed_in
from dashboard.words import BREAKER_STATES, Look
from featurememory.observability.signals import (
    Cardinality,
    TransitionSeen,
    read_cardinality,
    read_saturation,
    read_transitions,
)
from featurememory.observability.span import Span
from featurememory.observability.traffic import SeriesFigures, Traffic, read_traffic

SERIES_SHOWN = 50
CHANGES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Signals:
    """What the charts, the table of series and the list of changes show."""

    traffic: Traffic
    charts: tuple[Chart, ...]
    changes: tuple[tuple[Look, TransitionSeen], ...]
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
    time_range = read_time_range(request.GET, now)
    signals = _read_signals(time_range, now)
    context = {"status": status, "time_range": time_range, "presets": PRESET_WORDS.items()}
    if not signals.cardinality.series:
        steps = read_first_steps(request.build_absolute_uri(reverse("overview")).rstrip("/"), now)
        return render(request, "overview/first_steps.html", context | {"steps": steps})
    return render(request, "overview/overview.html", context | {"signals": signals})


@require_safe
@signed_in
def overview_status(request: HttpRequest) -> HttpResponse:
    """What fires, for the refresh."""
    return render(request, "overview/_status.html", {"status": read_status(timezone.now())})


@require_safe
@signed_in
def overview_signals(request: HttpRequest) -> HttpResponse:
    """Charts and tables, for the refresh."""
    now = timezone.now()
    time_range = read_time_range(request.GET, now)
    context = {"time_range": time_range, "signals": _read_signals(time_range, now)}
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
    time_range = read_time_range(request.GET, now)
    read = _CHARTS.get(request.GET.get("signal", ""))
    if read is None:
        raise Http404(f"There is no such signal; choose one of {', '.join(_CHARTS)}.")
    chart = read(time_range.span, now)
    name = f"{chart.key}-{time_range.span.start:%Y%m%dT%H%M}Z-{time_range.span.end:%Y%m%dT%H%M}Z.csv"
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
    writer = csv.writer(response)
    writer.writerow(["from", *chart.columns])
    writer.writerows([at.isoformat(), *values] for at, *values in chart.rows)
    return response


def _read_signals(time_range: TimeRange, now: datetime) -> Signals:
    """A dozen queries at most, however much the range holds."""
    span = time_range.span
    traffic, transitions = read_traffic(span), read_transitions(span)
    charts = golden_signals(traffic, read_saturation(span, now), transitions, now)
    changes = tuple((BREAKER_STATES[each.to_state], each) for each in transitions[:CHANGES_SHOWN])
    return Signals(traffic, charts, changes, read_cardinality())


_CHARTS: dict[str, Callable[[Span, datetime], Chart]] = {
    "latency": lambda span, now: latency(read_traffic(span), ()),
    "rate": lambda span, now: rate(read_traffic(span), (), now),
    "errors": lambda span, now: errors(read_traffic(span), ()),
    "saturation": lambda span, now: saturated(read_saturation(span, now), ()),
}
"""Each signal's chart by itself, without the lines of breakers."""
