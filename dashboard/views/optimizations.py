"""Optimizations: what learning gains, all of them, one of them, and why a recommendation was what it was."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.comparisons import read_comparisons
from dashboard.learning_gains import read_learning_gains
from dashboard.optimization_page import (
    EXPORTED_HISTORY,
    EXPORTED_TRIALS,
    chart_of,
    exported_history,
    exported_trials,
    read_optimization_page,
)
from dashboard.optimization_rows import EXPORTED, Filter, exported, list_optimizations
from dashboard.optimization_steps import read_optimization_steps
from dashboard.optimization_words import STATUSES
from dashboard.recommendation_page import read_recommendation_page
from dashboard.study_sets import EXPORTED as EXPORTED_SETS
from dashboard.study_sets import read_study_sets
from dashboard.views.downloads import list_file, table_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import Optimization
from featurememory.optimization.errors import UnknownOptimization, UnknownRecommendation
from featurememory.optimization.operator_actions import ACTIONS
from featurememory.optimization.storage import find_optimization


@require_safe
@signed_in
def optimizations(request: HttpRequest) -> HttpResponse:
    """`?status=promoted&study=3&pattern=1000000001&text=steps=20&before=90`; the refresh gets the rows alone."""
    chosen = Filter.read(request.GET)
    context = {
        "found": list_optimizations(chosen, timezone.now()),
        "chosen": chosen,
        "any_yet": Optimization.objects.exists(),
        "newest": chosen.from_id(None),
    }
    if is_refresh(request):
        return render(request, "optimizations/_rows.html", context)
    gains = read_learning_gains()
    if not gains.studies:
        base_url = request.build_absolute_uri(reverse("overview")).rstrip("/")
        return render(request, "optimizations/none_yet.html", {"ways": read_optimization_steps(base_url)})
    context |= {
        "gains": gains,
        "sets": read_study_sets(chosen.study) if chosen.study else None,
        "statuses": [
            (key, STATUSES[key].word if key else "All", query) for key, query in chosen.others.items()
        ],
    }
    return render(request, "optimizations/optimizations.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list's filter finds, as CSV or with `?format=json`."""
    return list_file(request, "optimizations", EXPORTED, exported(Filter.read(request.GET)))


@require_safe
@signed_in
def learning_gains(request: HttpRequest) -> HttpResponse:
    """What learning gains, for the refresh."""
    return render(request, "optimizations/_gains.html", {"gains": read_learning_gains()})


@require_safe
@signed_in
def optimization(request: HttpRequest, pk: int) -> HttpResponse:
    """One optimization: standing, evidence, trials, what competes."""
    page = read_optimization_page(_found(pk), timezone.now())
    is_theirs = not page.is_baseline and not page.is_retired_everywhere
    actions = [each for each in ACTIONS.values() if is_theirs and each.suits(page.row.optimization.status)]
    context = {"page": page, "row": page.row, "actions": actions}
    part = "optimizations/_optimization.html"
    return render(request, part if is_refresh(request) else "optimizations/optimization.html", context)


@require_safe
@signed_in
def rewards_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """The points of the page's chart, a row each."""
    found = _found(pk)
    chart = chart_of(found, read_comparisons([found.study_id]))
    return table_file(request, f"optimization-{pk}-rewards", ("at", *chart.columns), chart.rows)


@require_safe
@signed_in
def export_trials(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """When it was recommended, and what came of it, as CSV or with `?format=json`."""
    return list_file(request, f"optimization-{pk}-trials", EXPORTED_TRIALS, exported_trials(_found(pk)))


@require_safe
@signed_in
def export_history(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """How its standing changed, as CSV or with `?format=json`."""
    return list_file(request, f"optimization-{pk}-history", EXPORTED_HISTORY, exported_history(_found(pk)))


@require_safe
@signed_in
def export_sets(request: HttpRequest, study: int) -> StreamingHttpResponse:
    """The parameter sets that a study compares, as CSV or with `?format=json`."""
    sets = read_study_sets(study)
    if sets is None:
        raise Http404(f"There is no study {study}.")
    return list_file(request, f"study-{study}-sets", EXPORTED_SETS, sets.rows)


@require_safe
@signed_in
def recommendation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Why it was what it was."""
    try:
        page = read_recommendation_page(pk)
    except UnknownRecommendation as unknown:
        raise Http404(str(unknown)) from None
    return render(request, "optimizations/recommendation.html", {"page": page, "kept": page.recommendation})


def _found(pk: int) -> Optimization:
    try:
        return find_optimization(pk)
    except UnknownOptimization as unknown:
        raise Http404(str(unknown)) from None
