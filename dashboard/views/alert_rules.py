"""Alert rules: all of them, trying one on history before it is trusted, switching one off or on, deleting one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.alert_chart import trial_chart
from dashboard.alert_words import RULE_KINDS
from dashboard.rule_forms import RuleForm
from dashboard.rule_rows import EXPORTED, list_rules
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.alerts.acts import MAY_SET_RULES
from featurememory.alerts.backtest import backtest
from featurememory.alerts.errors import RuleMoved
from featurememory.alerts.rule_actions import delete_rule, save_rule, switch_rule
from featurememory.alerts.rules import Rule
from featurememory.alerts.stored_rules import rule_of, values_of
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.models import AlertRule

FIRINGS_SHOWN = 20


@require_safe
@signed_in
def rules(request: HttpRequest) -> HttpResponse:
    """All of them; the refresh gets the list alone."""
    part = "alerts/_rules.html" if is_refresh(request) else "alerts/rules.html"
    return render(request, part, {"rules": list_rules()})


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All of them, as CSV or with `?format=json`."""
    return list_file(request, "alert-rules", EXPORTED, list_rules())


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_SET_RULES, raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """`?kind=threshold` asks; with `?preview` it is tried on history; POST creates."""
    given = request.POST if request.method == "POST" else request.GET
    kind = given.get("kind", "")
    if kind not in RULE_KINDS:
        return render(request, "alerts/rule_kinds.html", {"kinds": RULE_KINDS.items()})
    return _change(request, None, kind)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_SET_RULES, raise_exception=True)
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes one, in the same steps."""
    found = get_object_or_404(AlertRule, pk=pk)
    return _change(request, found, found.kind)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_SET_RULES, raise_exception=True)
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks for the reason; POST switches it off, or on again, and may be repeated without harm."""
    found = get_object_or_404(AlertRule, pk=pk)
    to = not found.is_enabled
    context = {
        "verb": "Switch on" if to else "Switch off",
        "consequence": "It is evaluated from now on."
        if to
        else "It is not evaluated any more, and its open alerts are over.",
        "is_harmful": not to,
    }

    def do(**given: Any) -> str:
        done = switch_rule(pk, is_enabled=to, **given)
        return f"{done.name} is {'on' if done.is_enabled else 'off'}."

    return _act(request, found, do, context)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_SET_RULES, raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks for the reason; POST deletes it, and may be repeated without harm."""
    found = AlertRule.objects.filter(pk=pk).first()
    if found is None and request.method == "POST":
        return redirect("alert-rules")
    found = found or get_object_or_404(AlertRule, pk=pk)
    context = {
        "verb": "Delete",
        "consequence": "It is gone, and its open alerts are over; what it told before stays in the history.",
        "is_harmful": True,
    }

    def do(**given: Any) -> str:
        delete_rule(pk, **given)
        return f"{found.name} was deleted."

    return _act(request, found, do, context)


def _act(
    request: HttpRequest, found: AlertRule, do: Callable[..., str], context: dict[str, Any]
) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        if was_done(given["request_id"]):
            return redirect("alert-rules")
        try:
            text = do(
                version=_version(request),
                actor=request.user.get_username(),
                reason=given["reason"],
                now=timezone.now(),
                request_id=given["request_id"],
            )
        except (ConfigurationError, RuleMoved) as refused:
            form.add_error("reason", str(refused))
        else:
            tell(request, Done(text, True))
            return redirect("alert-rules")
    status = 422 if form.errors else 200
    return render(request, "alerts/rule_act.html", context | {"rule": found, "form": form}, status=status)


def _change(request: HttpRequest, found: AlertRule | None, kind: str) -> HttpResponse:
    if request.method == "POST":
        return _apply(request, found, kind)
    if "preview" not in request.GET:
        return _edit(request, found, RuleForm(kind, found))
    form = RuleForm(kind, found, request.GET)
    wanted = form.rule()
    if wanted is None:
        return _edit(request, found, form)
    if found is not None and wanted.values() == rule_of(found).values():
        return _edit(request, found, form, same=True)
    return _preview(request, found, form, wanted, ReasonForm())


def _apply(request: HttpRequest, found: AlertRule | None, kind: str) -> HttpResponse:
    form, reason = RuleForm(kind, found, request.POST), ReasonForm(request.POST)
    if reason.is_valid() and was_done(reason.cleaned_data["request_id"]):
        return redirect("alert-rules")
    wanted = form.rule()
    if wanted is None:
        return _edit(request, found, form)
    if not reason.is_valid():
        return _preview(request, found, form, wanted, reason)
    try:
        row = save_rule(
            wanted.values(),
            id=None if found is None else found.pk,
            version=None if found is None else _version(request),
            actor=request.user.get_username(),
            reason=reason.cleaned_data["reason"],
            now=timezone.now(),
            request_id=reason.cleaned_data["request_id"],
        )
    except ConfigurationError as wrong:
        form.refuse(wrong)
        return _edit(request, found, form)
    except RuleMoved as moved:
        return _edit(request, found, RuleForm(kind, found), problem=str(moved))
    tell(request, Done(f"{row.name} was {'created' if found is None else 'changed'}.", True))
    return redirect("alert-rules")


def _version(request: HttpRequest) -> int | None:
    given = request.POST.get("version", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _edit(
    request: HttpRequest, found: AlertRule | None, form: RuleForm, *, same: bool = False, problem: str = ""
) -> HttpResponse:
    context = {"form": form, "rule": found, "same": same, "problem": problem}
    status = 422 if request.method == "POST" else 200
    return render(request, "alerts/rule.html", context, status=status)


def _preview(
    request: HttpRequest, found: AlertRule | None, form: RuleForm, wanted: Rule, reason: ReasonForm
) -> HttpResponse:
    now = timezone.now()
    tried = backtest(wanted, now)
    given = request.POST if request.method == "POST" else request.GET
    before = {} if found is None else values_of(found)
    context = {
        "form": form,
        "rule": found,
        "wanted": wanted,
        "tried": tried,
        "chart": trial_chart(wanted, tried, now),
        "firings": tried.firings[:FIRINGS_SHOWN],
        "unit": tried.unit,
        "changes": [
            (name.replace("_", " "), before[name], value)
            for name, value in wanted.values().items()
            if before and before[name] != value
        ],
        "hidden": [(name, given.get(name, "")) for name in ("kind", *form.fields)],
        "reason": reason,
    }
    return render(request, "alerts/rule_preview.html", context, status=422 if reason.errors else 200)
