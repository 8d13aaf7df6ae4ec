"""A page of its own before something is done: why, once, by somebody who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from featurememory.circuit_breaker.operator_actions import ActForm, Done, ReasonForm
from featurememory.errors import ValidationError


def confirm(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    pk: int,
    *,
    permission: str,
    title: str,
    verb: str,
    consequence: str,
    act: Callable[[Any, dict[str, Any]], Done | str],
    form_class: type[ReasonForm] = ReasonForm,
) -> HttpResponse:
    """GET asks for the reason; POST calls `act` with the object and the cleaned form, and shows what it returns: as
    success, unless it says that something is left to wait for."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    found: Model | None = model_admin.get_object(request, str(pk))
    if found is None:
        raise Http404
    form = form_class(request.POST or None)
    if form.is_valid():
        try:
            done = act(found, form.cleaned_data)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
            if isinstance(form, ActForm):
                form.look_again()
        else:
            if not isinstance(done, Done):
                done = Done(done, went_well=True)
            messages.add_message(request, messages.SUCCESS if done.went_well else messages.WARNING, done.text)
            opts = model_admin.opts
            return redirect(f"{model_admin.admin_site.name}:{opts.app_label}_{opts.model_name}_change", pk)
    context = model_admin.admin_site.each_context(request) | {
        "title": f"{title} {found}?",
        "opts": model_admin.opts,
        "object": found,
        "verb": verb,
        "consequence": consequence,
        "form": form,
    }
    return TemplateResponse(request, "admin/confirmation.html", context, status=422 if form.errors else 200)
