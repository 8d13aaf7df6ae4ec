"""Breakers: all of them, one of them, and an operator's hand on one."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.breaker_rows import MOST, count_states, list_breakers, show, transition
from dashboard.views.signed_in import is_refresh, signed_in
from dashboard.words import BREAKER_STATES
from featurememory.circuit_breaker.operator_actions import ACTIONS, PERMISSION, order_of
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.errors import ValidationError
from featurememory.models import Breaker, BreakerEvent

EVENTS_SHOWN = 50


@require_safe
@signed_in
def breakers(request: HttpRequest) -> HttpResponse:
    """`?state=open&text=whisper`; the refresh gets the rows alone."""
    state, text = request.GET.get("state", ""), request.GET.get("text", "").strip()
    rows = list_breakers(state, text, timezone.now())
    counts = count_states()
    context = {
        "rows": rows,
        "state": state if state in BREAKER_STATES else "",
        "text": text,
        "total": sum(counts.values()),
        "counts": [(key, look, counts.get(key, 0)) for key, look in BREAKER_STATES.items()],
        "shown_most": MOST if len(rows) == MOST else 0,
        "query": urlencode({key: value for key, value in (("state", state), ("text", text)) if value}),
    }
    return render(
        request, "breakers/_rows.html" if is_refresh(request) else "breakers/breakers.html", context
    )


@require_safe
@signed_in
def breaker(request: HttpRequest, name: str) -> HttpResponse:
    """One breaker with its history, newest first; `?before=` goes back."""
    found = get_object_or_404(Breaker, name=name)
    events = BreakerEvent.objects.filter(breaker=found).order_by("-sequence")
    newest = list(events[:1])
    before = request.GET.get("before", "")
    page = events.filter(sequence__lt=int(before)) if before.isascii() and before.isdigit() else events
    shown = list(page[: EVENTS_SHOWN + 1])
    context = {
        "row": show(found, newest, timezone.now()),
        "timeline": [transition(event) for event in shown[:EVENTS_SHOWN]],
        "older": shown[EVENTS_SHOWN - 1].sequence if len(shown) > EVENTS_SHOWN else None,
        "before": before,
        "actions": [action for action in ACTIONS.values() if action.suits(found.state)],
    }
    return render(
        request, "breakers/_breaker.html" if is_refresh(request) else "breakers/breaker.html", context
    )


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def act(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """GET asks for the reason; POST acts, says so on the breaker's page, and may be repeated without harm."""
    found = get_object_or_404(Breaker, name=name)
    chosen = ACTIONS[action]
    form = chosen.form(request.POST or None)
    if form.is_valid():
        try:
            chosen.command(name, order_of(form.cleaned_data, request.user.get_username(), timezone.now()))
        except UnknownBreaker as gone:
            raise Http404(str(gone)) from None
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            messages.success(request, f"Breaker {name} {chosen.done}")
            return redirect("breaker", name=name)
    newest = list(BreakerEvent.objects.filter(breaker=found).order_by("-sequence")[:1])
    context = {"row": show(found, newest, timezone.now()), "action": chosen, "form": form}
    return render(request, "breakers/act.html", context, status=422 if form.errors else 200)
