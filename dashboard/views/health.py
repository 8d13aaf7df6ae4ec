"""Health: the components and their day, what moved, who runs; and a look at once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard.health_page import (
    EXPORTED_COMPONENTS,
    EXPORTED_HISTORY,
    exported_history,
    list_components,
    read_health_page,
    read_timeline,
)
from dashboard.optimization_rows import whole
from dashboard.state_timeline import EXPORTED as EXPORTED_STATES
from dashboard.state_timeline import stretches_of
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import ComponentState
from featurememory.observability.health_snapshot import COMPONENTS, take_snapshot

PERMISSION = "featurememory.operate_health"


@require_safe
@signed_in
def health(request: HttpRequest) -> HttpResponse:
    """`?component=jobs&before=90` chooses the transitions that are listed; the refresh gets the parts that change."""
    component = _component(request)
    page = read_health_page(component, whole(request.GET.get("before", "")), timezone.now())
    context = {"page": page, "component": component, "names": (ComponentState.WHOLE, *COMPONENTS)}
    return render(request, "health/_health.html" if is_refresh(request) else "health/health.html", context)


@require_safe
@signed_in
def export_components(request: HttpRequest) -> StreamingHttpResponse:
    """How each component stands, as CSV or with `?format=json`."""
    return list_file(request, "health", EXPORTED_COMPONENTS, list_components(timezone.now()))


@require_safe
@signed_in
def export_history(request: HttpRequest) -> StreamingHttpResponse:
    """`?component=`: what changed, as CSV or with `?format=json`."""
    rows = exported_history(_component(request))
    return list_file(request, "health-history", EXPORTED_HISTORY, rows)


@require_safe
@signed_in
def export_states(request: HttpRequest) -> StreamingHttpResponse:
    """How each component stood over the last day, as CSV or with `?format=json`."""
    return list_file(request, "health-states", EXPORTED_STATES, stretches_of(read_timeline(timezone.now())))


@require_safe
@signed_in
def watch(request: HttpRequest) -> HttpResponse:
    """Whether anybody still looks, for the refresh of every page."""
    return render(request, "health/_watch.html")


@require_POST
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def check(request: HttpRequest) -> HttpResponse:
    """Looks now. It asks for no reason: it changes nothing but what is known."""
    take_snapshot(timezone.now())
    messages.success(request, "Health was looked at just now.")
    return redirect("health")


def _component(request: HttpRequest) -> str:
    """The one that the address names; empty for any."""
    name = request.GET.get("component", "")
    return name if name in (ComponentState.WHOLE, *COMPONENTS) else ""
