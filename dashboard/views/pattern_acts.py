"""An operator's hand on one pattern: label and pin, merge, forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.pattern_forms import ChangeForm, MergeForm, find_by_number
from dashboard.pattern_page import read_nearest, read_pattern
from dashboard.pattern_spaces import read_tau
from dashboard.views.breaker_acts import tell
from dashboard.views.signed_in import signed_in
from dashboard.words import pattern_name, plural
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.core.errors import UnknownPattern
from featurememory.models import AuditEntry, FeatureSpace, Pattern
from featurememory.models.pattern import PATTERNS_A_SPACE

PERMISSION = "featurememory.operate_pattern"
Answer = Callable[[HttpRequest, int], HttpResponseBase]


def act(view: Answer) -> Answer:
    """GET asks for the reason; POST acts, says so on the page that it leads to, and may be repeated without harm."""
    allowed = permission_required(PERMISSION, raise_exception=True)(view)
    guarded: Answer = require_http_methods(["GET", "POST"])(signed_in(allowed))
    return guarded


@act
def change(request: HttpRequest, id: int) -> HttpResponse:
    """Its label, and whether it is pinned."""
    from featurememory.core.operator_actions import change_pattern

    pattern = read_pattern(id)
    form = ChangeForm(request.POST or None, initial={"label": pattern.label, "pinned": pattern.pinned})
    if not form.is_valid():
        return _ask(request, pattern, form, "change")
    try:
        changed = change_pattern(id, actor=request.user.get_username(), **form.cleaned_data)
    except UnknownPattern as gone:
        raise Http404(str(gone)) from None
    label = f"labelled “{changed.label}”" if changed.label else "without a label"
    pinned = "pinned: it never makes room for others" if changed.pinned else "not pinned"
    tell(request, Done(f"Pattern {changed.number} was changed. It is {label}, and {pinned}.", True))
    return redirect("pattern", id)


@act
def merge(request: HttpRequest, id: int) -> HttpResponse:
    """Into another; `?into=17` proposes it. Leads to the one that stays."""
    from featurememory.integration.pattern_actions import merge_pattern

    pattern = _still_there(request, id)
    if isinstance(pattern, HttpResponse):
        return pattern
    form = MergeForm(pattern, request.POST or None, initial={"into": request.GET.get("into", "")})
    if not form.is_valid():
        nearest = read_nearest(pattern, read_tau(pattern.space))
        into = find_by_number(pattern.space_id, str(form["into"].value() or ""))
        return _ask(request, pattern, form, "merge", nearest=nearest, into=into)
    given = form.cleaned_data
    try:
        kept = merge_pattern(
            id,
            given["into"].pk,
            actor=request.user.get_username(),
            reason=given["reason"],
            request_id=given["request_id"],
        )
    except UnknownPattern as gone:
        raise Http404(str(gone)) from None
    text = f"{_named(pattern)} was merged into this one, which has now seen {plural(kept.count, 'vector')}."
    tell(request, Done(text, True))
    return redirect("pattern", kept.pk)


@act
def forget(request: HttpRequest, id: int) -> HttpResponse:
    """Leads to the list of its space."""
    from featurememory.integration.pattern_actions import remove_pattern

    pattern = _still_there(request, id)
    if isinstance(pattern, HttpResponse):
        return pattern
    form = ReasonForm(request.POST or None)
    if not form.is_valid():
        return _ask(request, pattern, form, "forget")
    try:
        remove_pattern(id, actor=request.user.get_username(), **form.cleaned_data)
    except UnknownPattern as gone:
        raise Http404(str(gone)) from None
    tell(request, Done(f"{_named(pattern)} was forgotten. Inputs like it make a new pattern.", True))
    return redirect(_list_of(id))


def _still_there(request: HttpRequest, id: int) -> Pattern | HttpResponse:
    """The pattern; where an act submitted once more has taken it away already, what that act led to."""
    reason = ReasonForm(request.POST)
    if request.method == "POST" and reason.is_valid():
        done = AuditEntry.objects.filter(request_id=reason.cleaned_data["request_id"]).first()
        if done is not None:
            tell(request, Done(f"Pattern {id % PATTERNS_A_SPACE} had been dealt with already.", True))
            return (
                redirect("pattern", int(done.subject)) if done.subject != str(id) else redirect(_list_of(id))
            )
    return read_pattern(id)


def _named(pattern: Pattern) -> str:
    """At the beginning of a sentence."""
    name = pattern_name(pattern.number, pattern.label)
    return name[0].upper() + name[1:]


def _list_of(id: int) -> str:
    """The list of a pattern's space, there or not."""
    name = FeatureSpace.objects.filter(pk=id // PATTERNS_A_SPACE).values_list("name", flat=True).first()
    return f"{reverse('patterns')}?{urlencode({'space': name})}" if name else reverse("patterns")


def _ask(request: HttpRequest, pattern: Pattern, form: ReasonForm, act: str, **more: Any) -> HttpResponse:
    context = {"pattern": pattern, "space": pattern.space, "form": form, **more}
    return render(request, f"patterns/{act}.html", context, status=422 if form.errors else 200)
