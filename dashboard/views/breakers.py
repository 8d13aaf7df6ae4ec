"""Breakers: all of them, one of them, and one of its changes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import breaker_history
from dashboard.breaker_causes import MOST as MOST_CAUSES
from dashboard.breaker_causes import read_causes
from dashboard.breaker_history import view_transition
from dashboard.breaker_page import read_breaker_page, read_place, read_timeline
from dashboard.breaker_rows import EXPORTED, MOST, NOT_CLOSED, Filter, count_states, exported, list_breakers
from dashboard.state_timeline import EXPORTED as EXPORTED_STATES
from dashboard.state_timeline import stretches_of
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from dashboard.words import BREAKER_STATES, CAUSES
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.operator_actions import ACTIONS
from featurememory.models import Breaker, BreakerEvent


@require_safe
@signed_in
def breakers(request: HttpRequest) -> HttpResponse:
    """`?state=open&text=whisper`, or `?only=1,2`; the refresh gets the rows alone."""
    chosen = Filter.read(request.GET)
    rows = list_breakers(chosen, timezone.now())
    counts = count_states()
    total = sum(counts.values())
    context = {
        "rows": rows,
        "chosen": chosen,
        "total": total,
        "not_closed": total - counts.get(Breaker.State.CLOSED, 0),
        "counts": [(key, look, counts.get(key, 0)) for key, look in BREAKER_STATES.items()],
        "shown_most": MOST if len(rows) == MOST else 0,
        "NOT_CLOSED": NOT_CLOSED,
    }
    return render(
        request, "breakers/_rows.html" if is_refresh(request) else "breakers/breakers.html", context
    )


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list's filter finds, as CSV or with `?format=json`."""
    rows = exported(Filter.read(request.GET), timezone.now())
    return list_file(request, "breakers", EXPORTED, rows)


@require_safe
@signed_in
def breaker(request: HttpRequest, name: str) -> HttpResponse:
    """One breaker with its history, newest first; `?before=` goes back."""
    found = get_object_or_404(Breaker, name=name)
    before = read_place(request.GET)
    page = read_breaker_page(found, before, timezone.now())
    actions = [action for action in ACTIONS.values() if action.suits(page.row.status.state)]
    context = {"page": page, "row": page.row, "before": before, "actions": actions}
    return render(
        request, "breakers/_breaker.html" if is_refresh(request) else "breakers/breaker.html", context
    )


@require_safe
@signed_in
def export_history(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """What one breaker did, as CSV or with `?format=json`."""
    found = get_object_or_404(Breaker, name=name)
    return list_file(
        request, f"breaker-{found.pk}", breaker_history.EXPORTED, breaker_history.exported(found)
    )


@require_safe
@signed_in
def export_states(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """The states of one breaker over the last day, as CSV or with `?format=json`."""
    found = get_object_or_404(Breaker, name=name)
    timeline = read_timeline(found, timezone.now())
    return list_file(request, f"breaker-{found.pk}-states", EXPORTED_STATES, stretches_of(timeline))


@require_safe
@signed_in
def event(request: HttpRequest, sequence: int) -> HttpResponse:
    """One change of one breaker: its figures, and the operations that were stored up to it."""
    found = get_object_or_404(BreakerEvent.objects.select_related("breaker"), sequence=sequence)
    config = BreakerConfig.from_mapping(found.breaker.config if found.breaker else {})
    causes = read_causes(found, config.slow_call_duration_ms)
    context = {
        "change": view_transition(found),
        "cause": CAUSES.get(found.cause, found.cause),
        "config": config,
        "causes": causes,
        "failed": sum(cause.failed for cause in causes),
        "shown_most": MOST_CAUSES if len(causes) == MOST_CAUSES else 0,
    }
    return render(request, "breakers/event.html", context)
