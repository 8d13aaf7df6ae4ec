"""How all operation types, or one, are learned from: look, try, see what would change, apply."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.learning_settings import (
    LearningLayer,
    LearningProposal,
    LearningSettingsForm,
    find_layer,
    operation_types,
    propose,
)
from dashboard.views.breaker_acts import tell
from dashboard.views.breaker_settings import MEANWHILE
from dashboard.views.signed_in import signed_in
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.optimization.configuration import configure_learning
from featurememory.optimization.operator_actions import PERMISSION


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def learning_settings(request: HttpRequest, name: str = "") -> HttpResponse:
    """GET shows the form, and with `?preview` what it would change; POST applies it, and may be repeated."""
    layer = find_layer(name)
    if layer is None:
        raise Http404(f"Nobody has heard of {name!r}.")
    if request.method == "POST":
        return _apply(request, layer)
    if "preview" not in request.GET:
        return _edit(request, layer, LearningSettingsForm(layer))
    form = LearningSettingsForm(layer, request.GET)
    proposal = _judge(form, layer)
    if proposal is None or not proposal.changes:
        return _edit(request, layer, form, same=proposal is not None)
    return _preview(request, layer, form, proposal, ReasonForm())


def _apply(request: HttpRequest, layer: LearningLayer) -> HttpResponse:
    form, reason = LearningSettingsForm(layer, request.POST), ReasonForm(request.POST)
    if reason.is_valid() and was_done(reason.cleaned_data["request_id"]):
        return redirect(request.path)
    if request.POST.get("seen") != layer.seen:
        return _edit(request, layer, LearningSettingsForm(layer), problem=MEANWHILE)
    proposal = _judge(form, layer)
    if proposal is None:
        return _edit(request, layer, form)
    if not reason.is_valid():
        return _preview(request, layer, form, proposal, reason)
    try:
        configure_learning(
            layer.operation_type,
            form.values(),
            actor=request.user.get_username(),
            reason=reason.cleaned_data["reason"],
            now=timezone.now(),
            request_id=reason.cleaned_data["request_id"],
        )
    except ConfigurationError as wrong:  # what is set for all has changed since it was judged
        form.refuse(wrong)
        return _edit(request, layer, form)
    tell(request, Done(f"How {layer.words} are learned from was changed; it holds from now on.", True))
    return redirect(request.path)


def _judge(form: LearningSettingsForm, layer: LearningLayer) -> LearningProposal | None:
    """What the form would change; None where something in it is wrong, which it then says."""
    if not form.is_valid():
        return None
    try:
        return propose(layer, form.values())
    except ConfigurationError as wrong:
        form.refuse(wrong)
        return None


def _edit(
    request: HttpRequest,
    layer: LearningLayer,
    form: LearningSettingsForm,
    *,
    same: bool = False,
    problem: str = "",
) -> HttpResponse:
    """As an answer to GET it may well say what is wrong; a POST that did nothing is refused."""
    context = {
        "layer": layer,
        "form": form,
        "same": same,
        "problem": problem,
        "last": layer.last_change(),
        "types": () if layer.operation_type else operation_types(),
    }
    return render(
        request, "optimizations/settings.html", context, status=422 if request.method == "POST" else 200
    )


def _preview(
    request: HttpRequest,
    layer: LearningLayer,
    form: LearningSettingsForm,
    proposal: LearningProposal,
    reason: ReasonForm,
) -> HttpResponse:
    context = {"layer": layer, "form": form, "proposal": proposal, "reason": reason}
    return render(
        request, "optimizations/settings_preview.html", context, status=422 if reason.errors else 200
    )
