"""Alerts: what fires, one of them, what is over, and an operator's hand on one or on many."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.alert_chart import alert_chart
from dashboard.alert_history import HistoryFilter, list_history
from dashboard.alert_history import exported as exported_history
from dashboard.alert_page import EXPORTED_LOG, exported_log, read_alert_page
from dashboard.alert_rows import EXPORTED, MOST, AlertRow, Filter, exported, read_board
from dashboard.alert_words import SEVERITIES
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file, table_file
from dashboard.views.signed_in import is_refresh, signed_in
from dashboard.words import plural
from featurememory.alerts.acts import MAY_ACT
from featurememory.alerts.operator_actions import ACTIONS, Acted, OperatorAction
from featurememory.circuit_breaker.operator_actions import Done
from featurememory.models import Alert
from featurememory.reasons import MAX_REASON


class NoteForm(forms.Form):
    """What is to be known; and the id by which a second submit of the same page is known and does nothing."""

    note = forms.CharField(
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="Stands in the log and in the audit beside your name.",
        error_messages={"required": "Say what you know or do; it stands in the log beside your name."},
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


@require_safe
@signed_in
def alerts(request: HttpRequest) -> HttpResponse:
    """`?severity=critical&text=whisper`; the refresh gets the lists alone."""
    chosen = Filter.read(request.GET)
    context = {
        "board": read_board(chosen, timezone.now()),
        "chosen": chosen,
        "severities": SEVERITIES.items(),
    }
    return render(request, "alerts/_board.html" if is_refresh(request) else "alerts/alerts.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What is not over and fits the list's filter, as CSV or with `?format=json`."""
    return list_file(request, "alerts", EXPORTED, exported(Filter.read(request.GET)))


@require_safe
@signed_in
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: its state, what changed before it, what it is about, who did what."""
    found = get_object_or_404(Alert.objects.select_related("rule", "inhibited_by"), pk=pk)
    page = read_alert_page(found, timezone.now())
    context = {"page": page, "row": page.row, "alert": found}
    if is_refresh(request):
        part = "_alert_more" if request.GET.get("part") == "more" else "_alert"
        return render(request, f"alerts/{part}.html", context)
    context |= {"chart": alert_chart(found, timezone.now()), "csv": reverse("alert-csv", args=[pk])}
    return render(request, "alerts/alert.html", context)


@require_safe
@signed_in
def chart_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """The points of the page's chart, a row each."""
    found = get_object_or_404(Alert.objects.select_related("rule"), pk=pk)
    chart = alert_chart(found, timezone.now())
    if chart is None:
        raise Http404("There is no chart of this alert.")
    return table_file(request, f"alert-{pk}", ("at", *chart.columns), chart.rows)


@require_safe
@signed_in
def export_log(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """What happened to one alert, as CSV or with `?format=json`."""
    found = get_object_or_404(Alert, pk=pk)
    return list_file(request, f"alert-{pk}-log", EXPORTED_LOG, exported_log(found))


@require_safe
@signed_in
def history(request: HttpRequest) -> HttpResponse:
    """`?severity=warning&name=…&text=…`, the newest first; `?before=` goes back."""
    chosen = HistoryFilter.read(request.GET)
    context = {"found": list_history(chosen), "chosen": chosen, "severities": SEVERITIES.items()}
    return render(request, "alerts/history.html", context)


@require_safe
@signed_in
def export_history(request: HttpRequest) -> StreamingHttpResponse:
    """What is over and fits the list's filter, as CSV or with `?format=json`."""
    return list_file(request, "alerts-over", EXPORTED, exported_history(HistoryFilter.read(request.GET)))


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_ACT, raise_exception=True)
def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """GET asks for the note; POST acts, says so on the alert's page, and may be repeated without harm."""
    get_object_or_404(Alert, pk=pk)
    return _act(request, ACTIONS[action], [pk], reverse("alert", args=[pk]))


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_ACT, raise_exception=True)
def act_on_many(request: HttpRequest, action: str) -> HttpResponse:
    """`?alert=3&alert=5`: as for one, and then back on the list."""
    given = request.POST if request.method == "POST" else request.GET
    return _act(request, ACTIONS[action], read_ids(given.getlist("alert")), reverse("alerts"))


def _act(request: HttpRequest, action: OperatorAction, ids: list[int], back: str) -> HttpResponse:
    rows = rows_of(ids)
    form = NoteForm(request.POST or None)
    if rows and form.is_valid():
        tell(request, _do(action, rows, form, request.user.get_username(), timezone.now()))
        return redirect(back)
    context = {"action": action, "rows": rows, "form": form, "back": back}
    status = 422 if request.method == "POST" else 200
    return render(request, "alerts/act.html", context, status=status)


def _do(action: OperatorAction, rows: list[AlertRow], form: NoteForm, actor: str, now: datetime) -> Done:
    given = form.cleaned_data
    acted = action.do(
        [row.alert.pk for row in rows],
        actor=actor,
        note=given["note"],
        now=now,
        request_id=given["request_id"],
    )
    return _done(action, acted)


def _done(action: OperatorAction, acted: Acted) -> Done:
    number = len(acted.alerts)
    which = acted.alerts[0].name if number == 1 else plural(number, "alert")
    text = f"{which} {action.done.format(were='was' if number == 1 else 'were')}" if number else ""
    if acted.passed_over:
        left = ", ".join(f"{each.name} (is {each.state})" for each in acted.passed_over)
        text = f"{text} Left alone: {left}.".strip()
    return Done(text, went_well=not acted.passed_over)


def read_ids(given: list[str]) -> list[int]:
    """Those that make sense."""
    ids = [int(each) for each in given if each.isascii() and each.isdigit() and len(each) < 19]
    return list(dict.fromkeys(ids))[:MOST]


def rows_of(ids: list[int]) -> list[AlertRow]:
    """Of those that there are; one query."""
    found = Alert.objects.in_bulk(ids)
    return [AlertRow(found[id]) for id in ids if id in found]
