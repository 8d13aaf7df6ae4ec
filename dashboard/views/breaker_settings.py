"""Settings of all breakers, of one operation type's, of one breaker: look, try, see what would change, apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard.breaker_settings import (
    LayerSettings,
    Proposal,
    SettingsForm,
    find_subject,
    operation_types,
    propose,
)
from dashboard.views.settings_change import SettingsChange
from dashboard.views.signed_in import signed_in
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.circuit_breaker.operator_actions import NOT_HANDED_ON, PERMISSION, Done


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def settings(request: HttpRequest, scope: Scope, name: str = "") -> HttpResponse:
    """GET shows the form, and with `?preview` what it would change; POST applies it, and may be repeated."""
    subject = find_subject(scope, name)
    if subject is None:
        raise Http404(f"Nobody has heard of {name!r}.")
    layer = LayerSettings(subject)

    def apply(values: Mapping[str, Any], actor: str, given: Mapping[str, Any]) -> Done:
        done = configure(
            scope, name, values, actor=actor, reason=given["reason"], request_id=given["request_id"]
        )
        text = f"The settings of {subject.words} were changed; they hold from now on."
        return Done(text if done.was_handed_on else f"{text} {NOT_HANDED_ON}", done.was_handed_on)

    change: SettingsChange[SettingsForm, Proposal] = SettingsChange(
        form=lambda data: SettingsForm(layer, data),
        seen=str(layer.sequence),
        propose=lambda values: propose(layer, values),
        apply=apply,
        edit_template="breakers/settings.html",
        preview_template="breakers/settings_preview.html",
        context={
            "layer": layer,
            "subject": subject,
            "last": layer.last_change(),
            "types": operation_types(layer) if scope == Scope.DEFAULT else (),
        },
    )
    return change.answer(request)
