"""An operator's hand on optimizations, and on the parameter sets that studies compare."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.comparisons import BASELINE
from dashboard.optimization_forms import OptimizationActForm, ProposalForm, RetirementForm
from dashboard.optimization_page import read_row
from dashboard.parameter_sets import compared
from dashboard.views.breaker_acts import tell
from dashboard.views.signed_in import signed_in
from featurememory.models import Arm, Optimization, Study
from featurememory.optimization.errors import UnknownOptimization
from featurememory.optimization.operator_actions import ACTIONS, PERMISSION
from featurememory.optimization.storage import find_optimization


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """GET asks for the reason; POST acts, says so on the optimization's page, and may be repeated without harm."""
    try:
        found = find_optimization(pk)
    except UnknownOptimization as unknown:
        raise Http404(str(unknown)) from None
    chosen, now = ACTIONS[action], timezone.now()
    form = OptimizationActForm(found, request.POST or None)
    if form.is_valid() and (done := form.carry_out(chosen, request.user.get_username(), now)):
        tell(request, done)
        return redirect("optimization", pk=pk)
    context = {"row": read_row(found, now), "action": chosen, "form": form}
    return render(request, "optimizations/act.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def propose(request: HttpRequest, study: int) -> HttpResponse:
    """GET shows the baseline to be changed; POST has the study try what was made of it."""
    found = get_object_or_404(Study.objects.defer("state", "estimate"), pk=study)
    baseline = Arm.objects.filter(study=found, number=BASELINE).first()
    if baseline is None:
        raise Http404(f"{found} has no baseline yet: somebody has to ask for a recommendation first.")
    form = ProposalForm(baseline.parameters, request.POST or None)
    if form.is_valid() and (done := form.carry_out(found, request.user.get_username(), timezone.now())):
        tell(request, done)
        return redirect(_list_of(found.pk))
    context = {"study": found, "form": form, "back": _list_of(found.pk)}
    return render(request, "optimizations/propose.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def retire_set(request: HttpRequest, pk: int) -> HttpResponse:
    """GET says what goes; POST takes the parameter set out of every pattern of its study."""
    arms = Arm.objects.select_related("study").defer("study__state", "study__estimate")
    arm = get_object_or_404(arms, pk=pk)
    form = RetirementForm(request.POST or None)
    if form.is_valid() and (done := form.carry_out(arm, request.user.get_username(), timezone.now())):
        tell(request, done)
        return redirect(_list_of(arm.study_id))
    baseline = Arm.objects.filter(study=arm.study_id, number=BASELINE).first()
    context = {
        "arm": arm,
        "parameters": compared(arm.parameters, baseline.parameters if baseline else None),
        "patterns": Optimization.objects.filter(arm=arm).count(),
        "form": form,
        "back": _list_of(arm.study_id),
    }
    return render(request, "optimizations/retire_set.html", context, status=422 if form.errors else 200)


def _list_of(study: int) -> str:
    return f"{reverse('optimizations')}?study={study}"
