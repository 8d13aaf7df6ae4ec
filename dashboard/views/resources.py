"""Resources: what is used beside its limits, over time, and what cleanups did; running one, and changing limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.resource_charts import KEYS, resource_charts
from dashboard.resource_rows import EXPORTED, RunRow, exported, read_resources
from dashboard.resource_settings import ResourceForm, ResourceProposal, StoredLimits, propose
from dashboard.timerange import TimeRange
from dashboard.views.asked_range import asked_range
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import chart_file, list_file
from dashboard.views.settings_change import SettingsChange
from dashboard.views.signed_in import signed_in
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.integration.server_errors import CHECK
from featurememory.models import CleanupRun
from featurememory.resource_management.cleanup import dry_run, request_cleanup
from featurememory.resource_management.configuration import limits, set_limits
from featurememory.resource_management.history import read_usage

MAY_CLEAN_UP = "featurememory.operate_cleanup"
MAY_SET_LIMITS = "featurememory.operate_limits"


@require_safe
@signed_in
def resources(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    now = timezone.now()
    time_range = asked_range(request, now)
    context = _panels(time_range, now)
    return render(request, "resources/resources.html", context)


@require_safe
@signed_in
def panels(request: HttpRequest) -> HttpResponse:
    """All that changes, for the refresh."""
    now = timezone.now()
    return render(request, "resources/_panels.html", _panels(asked_range(request, now), now))


@require_safe
@signed_in
def chart_csv(request: HttpRequest) -> HttpResponse:
    """`?signal=memory` and the page's range: the chart's points, a row each."""
    time_range = asked_range(request, timezone.now())
    charts = resource_charts(read_usage(time_range.span), limits().constraints)
    for chart in charts:
        if chart.key == request.GET.get("signal"):
            return chart_file(request, chart, time_range)
    raise Http404(f"There is no such chart; choose one of {', '.join(KEYS)}.")


@require_safe
@signed_in
def export_cleanups(request: HttpRequest) -> StreamingHttpResponse:
    """What cleanups did, as CSV or with `?format=json`."""
    return list_file(request, "cleanups", EXPORTED, exported())


@require_safe
@signed_in
def cleanup_run(request: HttpRequest, pk: int) -> HttpResponse:
    """What one cleanup removed, and why."""
    run = get_object_or_404(CleanupRun, pk=pk)
    part = "_run" if request.headers.get("HX-Request") == "true" else "run"
    return render(request, f"resources/{part}.html", {"row": RunRow(run), "run": run})


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_CLEAN_UP, raise_exception=True)
def clean_up(request: HttpRequest) -> HttpResponse:
    """GET says what would go, and asks for the reason; POST has a job do it, and may be repeated without harm."""
    form, now = ReasonForm(request.POST or None), timezone.now()
    if form.is_valid():
        given = form.cleaned_data
        run = request_cleanup(
            actor=request.user.get_username(), reason=given["reason"], now=now, request_id=given["request_id"]
        )
        CHECK.ask()
        tell(request, Done("The cleanup was handed to the jobs; this page says how far it is.", True))
        return redirect("resource-cleanup-run", pk=run.pk)
    context = {
        "form": form,
        "steps": dry_run(now),
        "running": CleanupRun.objects.filter(state=CleanupRun.State.RUNNING).first(),
    }
    return render(request, "resources/clean_up.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_SET_LIMITS, raise_exception=True)
def change_limits(request: HttpRequest) -> HttpResponse:
    """Constraints and retention: look, try, see what would change and go, apply."""
    stored = StoredLimits()

    def apply(values: Mapping[str, Any], actor: str, given: Mapping[str, Any]) -> Done:
        set_limits(
            **values, actor=actor, reason=given["reason"], now=timezone.now(), request_id=given["request_id"]
        )
        CHECK.ask()
        return Done("The limits were changed; every process follows within seconds.", True)

    change: SettingsChange[ResourceForm, ResourceProposal] = SettingsChange(
        form=lambda data: ResourceForm(stored, data),
        seen=stored.seen,
        propose=lambda values: propose(stored, values),
        apply=apply,
        edit_template="resources/limits.html",
        preview_template="resources/limits_preview.html",
        context={"last": stored.last_change()},
    )
    return change.answer(request)


def _panels(time_range: TimeRange, now: datetime) -> dict[str, Any]:
    known = limits()
    return {
        "time_range": time_range,
        "resources": read_resources(known, now),
        "charts": resource_charts(read_usage(time_range.span), known.constraints),
    }
