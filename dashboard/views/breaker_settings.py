"""Settings of all breakers, of one operation type's, of one breaker: look, try, see what would change, apply."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard.breaker_settings import (
    LayerSettings,
    Proposal,
    SettingsForm,
    find_subject,
    operation_types,
    propose,
)
from dashboard.views.breaker_acts import tell
from dashboard.views.signed_in import signed_in
from featurememory.audit import was_done
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.circuit_breaker.operator_actions import NOT_HANDED_ON, PERMISSION, Done, ReasonForm
from featurememory.errors import ConfigurationError

MEANWHILE = (
    "Somebody changed these settings meanwhile. What you see now is how they are: look again, and repeat it."
)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def settings(request: HttpRequest, scope: Scope, name: str = "") -> HttpResponse:
    """GET shows the form, and with `?preview` what it would change; POST applies it, and may be repeated."""
    subject = find_subject(scope, name)
    if subject is None:
        raise Http404(f"Nobody has heard of {name!r}.")
    layer = LayerSettings(subject)
    if request.method == "POST":
        return _apply(request, layer)
    if "preview" not in request.GET:
        return _edit(request, layer, SettingsForm(layer))
    form = SettingsForm(layer, request.GET)
    proposal = _judge(form, layer)
    if proposal is None or not proposal.changes:
        return _edit(request, layer, form, same=proposal is not None)
    return _preview(request, layer, form, proposal, ReasonForm())


def _apply(request: HttpRequest, layer: LayerSettings) -> HttpResponse:
    form, reason = SettingsForm(layer, request.POST), ReasonForm(request.POST)
    if reason.is_valid() and was_done(reason.cleaned_data["request_id"]):
        return redirect(request.path)
    if request.POST.get("seen") != str(layer.sequence):
        return _edit(request, layer, SettingsForm(layer), problem=MEANWHILE)
    proposal = _judge(form, layer)
    if proposal is None:
        return _edit(request, layer, form)
    if not reason.is_valid():
        return _preview(request, layer, form, proposal, reason)
    given, subject = reason.cleaned_data, layer.subject
    try:
        done = configure(
            subject.scope,
            subject.name,
            form.values(),
            actor=request.user.get_username(),
            reason=given["reason"],
            request_id=given["request_id"],
        )
    except ConfigurationError as wrong:  # another layer has changed since it was judged
        form.refuse(wrong)
        return _edit(request, layer, form)
    text = f"The settings of {subject.words} were changed; they hold from now on."
    tell(request, Done(text if done.was_handed_on else f"{text} {NOT_HANDED_ON}", done.was_handed_on))
    return redirect(request.path)


def _judge(form: SettingsForm, layer: LayerSettings) -> Proposal | None:
    """What the form would change; None where something in it is wrong, which it then says."""
    if not form.is_valid():
        return None
    try:
        return propose(layer, form.values())
    except ConfigurationError as wrong:
        form.refuse(wrong)
        return None


def _edit(
    request: HttpRequest, layer: LayerSettings, form: SettingsForm, *, same: bool = False, problem: str = ""
) -> HttpResponse:
    """As an answer to GET it may well say what is wrong; a POST that did nothing is refused."""
    context = {
        "layer": layer,
        "subject": layer.subject,
        "form": form,
        "same": same,
        "problem": problem,
        "last": layer.last_change(),
        "types": operation_types(layer) if layer.subject.scope == Scope.DEFAULT else (),
    }
    return render(request, "breakers/settings.html", context, status=422 if request.method == "POST" else 200)


def _preview(
    request: HttpRequest, layer: LayerSettings, form: SettingsForm, proposal: Proposal, reason: ReasonForm
) -> HttpResponse:
    context = {
        "subject": layer.subject,
        "seen": layer.sequence,
        "form": form,
        "proposal": proposal,
        "reason": reason,
    }
    return render(request, "breakers/settings_preview.html", context, status=422 if reason.errors else 200)
