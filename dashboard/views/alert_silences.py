"""Silences: all of them, laying one over alerts with a look at what it covers, changing one, ending one."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.alert_rows import AlertRow
from dashboard.silence_forms import CommentForm, SilenceForm, SilenceValues, matchers_for, typed
from dashboard.silence_rows import EXPORTED, exported, read_silences, window_in_words
from dashboard.views.alerts import read_ids
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from dashboard.words import plural
from featurememory.alerts.acts import MAY_ACT
from featurememory.alerts.silence_actions import change_silence, create_silence, end_silence
from featurememory.alerts.silencing import covered_now, labels_of
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.models import Alert, AlertSilence


@require_safe
@signed_in
def silences(request: HttpRequest) -> HttpResponse:
    """In force, coming, over; the refresh gets the lists alone."""
    context = {"silences": read_silences(timezone.now())}
    part = "alerts/_silences.html" if is_refresh(request) else "alerts/silences.html"
    return render(request, part, context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All of them, as CSV or with `?format=json`."""
    return list_file(request, "silences", EXPORTED, exported(timezone.now()))


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_ACT, raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """GET asks, with `?alert=3` filled in for these; with `?preview` it shows what is covered now; POST creates."""
    return _change(request, None)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_ACT, raise_exception=True)
def silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes one, in the same steps."""
    return _change(request, get_object_or_404(AlertSilence, pk=pk))


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_ACT, raise_exception=True)
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks for the reason; POST ends it now, and may be repeated without harm."""
    found = get_object_or_404(AlertSilence, pk=pk)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        end_silence(
            pk,
            actor=request.user.get_username(),
            reason=given["reason"],
            now=timezone.now(),
            request_id=given["request_id"],
        )
        tell(request, Done("The silence is over; what it covered is told of again.", True))
        return redirect("alert-silences")
    context = {"silence": found, "lines": typed(found)["matchers"], "form": form}
    return render(request, "alerts/silence_end.html", context, status=422 if form.errors else 200)


def _change(request: HttpRequest, found: AlertSilence | None) -> HttpResponse:
    if request.method == "POST":
        return _apply(request, found)
    if "preview" not in request.GET:
        return _edit(request, found, _form_of(None, found, read_ids(request.GET.getlist("alert"))))
    form = SilenceForm(request.GET)
    values = form.values(timezone.now())
    if values is None:
        return _edit(request, found, form)
    return _preview(request, found, form, values, CommentForm())


def _apply(request: HttpRequest, found: AlertSilence | None) -> HttpResponse:
    now, form, comment = timezone.now(), SilenceForm(request.POST), CommentForm(request.POST)
    if comment.is_valid() and was_done(comment.cleaned_data["request_id"]):
        return redirect("alert-silences")
    values = form.values(now)
    if values is None:
        return _edit(request, found, form)
    if not comment.is_valid():
        return _preview(request, found, form, values, comment)
    given, actor = comment.cleaned_data, request.user.get_username()
    times = (values.matchers, values.starts_at, values.ends_at, values.recurrence)
    try:
        if found is None:
            create_silence(
                *times, comment=given["comment"], actor=actor, now=now, request_id=given["request_id"]
            )
        else:
            change_silence(
                found.pk,
                *times,
                actor=actor,
                reason=given["comment"],
                now=now,
                request_id=given["request_id"],
            )
    except ConfigurationError as wrong:
        form.refuse(wrong)
        return _edit(request, found, form)
    number = len(covered_now(values.matchers))
    which = f"{plural(number, 'open alert')} fits it" if number == 1 else f"{number} open alerts fit it"
    tell(request, Done(f"The silence was {'created' if found is None else 'changed'}; {which}.", True))
    return redirect("alert-silences")


def _form_of(data: QueryDict | None, found: AlertSilence | None, ids: list[int]) -> SilenceForm:
    if found is not None:
        return SilenceForm(data, initial=typed(found))
    labels = [labels_of(each) for each in Alert.objects.filter(pk__in=ids)]
    return SilenceForm(data, initial={"matchers": matchers_for(labels), "minutes": "60"})


def _edit(request: HttpRequest, found: AlertSilence | None, form: SilenceForm) -> HttpResponse:
    status = 422 if request.method == "POST" else 200
    return render(request, "alerts/silence.html", {"form": form, "silence": found}, status=status)


def _preview(
    request: HttpRequest,
    found: AlertSilence | None,
    form: SilenceForm,
    values: SilenceValues,
    comment: CommentForm,
) -> HttpResponse:
    context = {
        "form": form,
        "silence": found,
        "values": values,
        "window": window_in_words(values.recurrence) if values.recurrence else "",
        "covers": [AlertRow(each) for each in covered_now(values.matchers)],
        "open": Alert.objects.filter(state__in=("firing", "acknowledged")).count(),
        "comment": comment,
        "hidden": _hidden(request),
    }
    return render(request, "alerts/silence_preview.html", context, status=422 if comment.errors else 200)


def _hidden(request: HttpRequest) -> list[tuple[str, str]]:
    """What the form was given, to be sent once more."""
    given = request.POST if request.method == "POST" else request.GET
    return [(name, value) for name in SilenceForm.base_fields for value in given.getlist(name)]
