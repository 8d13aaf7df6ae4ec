"""Models: small multiples of all, one of them, two of them side by side."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.comparing import asked_comparison
from dashboard.model_comparison import compare_models, names_of_models
from dashboard.model_page import CHARTS, ModelView, read_model
from dashboard.model_rows import EXPORTED, ORDERS, Filter, exported, read_models
from dashboard.views.asked_range import asked_range
from dashboard.views.downloads import chart_file, list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import Series


@require_safe
@signed_in
def models(request: HttpRequest) -> HttpResponse:
    """`?order=slowest&text=whisper&first=12` and a range; the refresh gets the cards alone."""
    now = timezone.now()
    chosen, time_range = Filter.read(request.GET), asked_range(request, now)
    page = read_models(chosen, time_range, now)
    following = chosen.first + len(page.cards)
    context = {
        "chosen": chosen,
        "time_range": time_range,
        "page": page,
        "next": chosen.query(time_range, first=following) if following < page.matching else "",
        "former": chosen.query(time_range, first=max(0, chosen.first - len(page.cards)))
        if chosen.first
        else "",
        "orders": [
            (title, chosen.query(time_range, order=key, first=0), key == chosen.order)
            for key, (title, _) in ORDERS.items()
        ],
        "here": chosen.query(time_range),
    }
    return render(request, "models/_cards.html" if is_refresh(request) else "models/models.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list's filter finds, all pages of it, as CSV or with `?format=json`."""
    chosen, time_range = Filter.read(request.GET), asked_range(request, timezone.now())
    return list_file(request, "models", EXPORTED, exported(chosen, time_range))


@require_safe
@signed_in
def model(request: HttpRequest, pk: int) -> HttpResponse:
    """One: its charts, its breaker, what was learned for it, its slowest and its failed operations."""
    context = _model(request, pk)
    return render(request, "models/_model.html" if is_refresh(request) else "models/model.html", context)


@require_safe
@signed_in
def chart_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """`?signal=latency` and the page's range: the chart's points, a row each."""
    context = _model(request, pk)
    view: ModelView = context["view"]
    for chart in view.charts:
        if chart.key == request.GET.get("signal"):
            return chart_file(request, chart, context["time_range"])
    raise Http404(f"There is no such signal; choose one of {', '.join(CHARTS)}.")


@require_safe
@signed_in
def compare(request: HttpRequest) -> HttpResponse:
    """`?one=3&other=7` and a range; asks for what is missing."""
    now = timezone.now()
    time_range = asked_range(request, now)
    one, other = _asked_pair(request)
    context: dict[str, Any] = {
        "time_range": time_range,
        "names": names_of_models(),
        "one": one,
        "other": other,
        "more": f"one={one}&other={other}",
        "both": compare_models(one, other, time_range, now) if one and other else None,
    }
    return render(request, "models/_both.html" if is_refresh(request) else "models/compare.html", context)


@require_safe
@signed_in
def compare_csv(request: HttpRequest) -> HttpResponse:
    """`?signal=p95` and the page's address: the chart's points, a row each."""
    now = timezone.now()
    time_range = asked_range(request, now)
    both = compare_models(*_asked_pair(request), time_range, now)
    for chart in both.charts if both else ():
        if chart.key == request.GET.get("signal"):
            return chart_file(request, chart, time_range)
    raise Http404("There is no such signal of two models.")


def _asked_pair(request: HttpRequest) -> tuple[int, int]:
    """`?one=3&other=7`, or as the list of all ticks them: `?model=3&model=7`; 0 where one is missing."""
    ticked = [*request.GET.getlist("model"), "", ""]
    one, other = (request.GET.get(name) or each for name, each in zip(("one", "other"), ticked, strict=False))
    return _id(one), _id(other)


def _model(request: HttpRequest, pk: int) -> dict[str, Any]:
    now = timezone.now()
    series = get_object_or_404(Series, pk=pk)
    time_range = asked_range(request, now)
    comparison = asked_comparison(request.GET)
    view = read_model(series, time_range, comparison, now)
    return {"series": series, "time_range": time_range, "view": view, "more": comparison.query}


def _id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
