"""How all operation types, or one, are learned from: look, try, see what would change, apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.learning_settings import (
    LearningProposal,
    LearningSettingsForm,
    find_layer,
    operation_types,
    propose,
)
from dashboard.views.settings_change import SettingsChange
from dashboard.views.signed_in import signed_in
from featurememory.circuit_breaker.operator_actions import Done
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

    def apply(values: Mapping[str, Any], actor: str, given: Mapping[str, Any]) -> Done:
        configure_learning(
            name,
            values,
            actor=actor,
            reason=given["reason"],
            now=timezone.now(),
            request_id=given["request_id"],
        )
        return Done(f"How {layer.words} are learned from was changed; it holds from now on.", True)

    change: SettingsChange[LearningSettingsForm, LearningProposal] = SettingsChange(
        form=lambda data: LearningSettingsForm(layer, data),
        seen=layer.seen,
        propose=lambda values: propose(layer, values),
        apply=apply,
        edit_template="optimizations/settings.html",
        preview_template="optimizations/settings_preview.html",
        context={
            "layer": layer,
            "last": layer.last_change(),
            "types": () if layer.operation_type else operation_types(),
        },
    )
    return change.answer(request)
