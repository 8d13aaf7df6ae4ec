"""Jobs: how each stands, the runs to know of, and a run at once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.job_rows import EXPORTED, EXPORTED_RUNS, JobRow, exported_runs, list_jobs, list_runs
from dashboard.optimization_rows import whole
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.circuit_breaker.operator_actions import ReasonForm
from featurememory.errors import ValidationError
from featurememory.scheduling.requests import PERMISSION, BrokerAway, ask_for_run


@require_safe
@signed_in
def jobs(request: HttpRequest) -> HttpResponse:
    """`?before=90` has the list of runs begin earlier; the refresh gets the lists alone."""
    before = whole(request.GET.get("before", ""))
    context = {"jobs": list_jobs(timezone.now()), "runs": list_runs(before), "before": before}
    return render(request, "jobs/_jobs.html" if is_refresh(request) else "jobs/jobs.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """How each job stands, as CSV or with `?format=json`."""
    return list_file(request, "jobs", EXPORTED, list_jobs(timezone.now()))


@require_safe
@signed_in
def export_runs(request: HttpRequest) -> StreamingHttpResponse:
    """The runs that failed or were asked for, as CSV or with `?format=json`."""
    return list_file(request, "job-runs", EXPORTED_RUNS, exported_runs())


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def run(request: HttpRequest, name: str) -> HttpResponse:
    """GET asks for the reason; POST sends the job to the worker, and may be repeated without harm."""
    job = _found(name)
    form, status = ReasonForm(request.POST or None), 200
    if form.is_valid():
        try:
            _ask(request, name, form)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        except BrokerAway as away:
            form.add_error(None, str(away))
            status = 503
        else:
            messages.success(request, f"{job.title} was asked for: it waits for the worker.")
            return redirect("jobs")
    if form.errors and status == 200:
        status = 422
    return render(request, "jobs/run.html", {"job": job, "form": form}, status=status)


def _ask(request: HttpRequest, name: str, form: ReasonForm) -> None:
    given = form.cleaned_data
    ask_for_run(
        name,
        actor=request.user.get_username(),
        reason=given["reason"],
        now=timezone.now(),
        request_id=given["request_id"],
    )


def _found(name: str) -> JobRow:
    for each in list_jobs(timezone.now()):
        if each.row.name == name:
            return each
    raise Http404(f"There is no job {name!r}.")
