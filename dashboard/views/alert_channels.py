"""Who is told of alerts: channels, the routes that lead to them, what was told, and a test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.alert_channel_forms import CalmReasonForm, ChannelForm, RouteForm
from dashboard.alert_channels import (
    EXPORTED,
    EXPORTED_CHANNELS,
    DeliveryRow,
    RouteRow,
    exported,
    list_channels,
    list_deliveries,
    list_routes,
    read_heartbeat,
)
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.alerts import channel_actions
from featurememory.alerts.channel_actions import PERMISSION
from featurememory.alerts.channels import SETTINGS
from featurememory.alerts.delivering import send_test
from featurememory.audit import By, was_done
from featurememory.circuit_breaker.operator_actions import ReasonForm
from featurememory.errors import ConfigurationError, ValidationError
from featurememory.models import AlertChannel, AlertRoute

manages = permission_required(PERMISSION, raise_exception=True)
asked_or_posted = require_http_methods(["GET", "POST"])


@require_safe
@signed_in
def channels(request: HttpRequest) -> HttpResponse:
    """`?before=` a moment has the log begin earlier; the refresh gets the lists alone."""
    before = _moment(request.GET.get("before", ""))
    context = {
        "channels": list_channels(),
        "routes": list_routes(),
        "log": list_deliveries(before),
        "heartbeat": read_heartbeat(timezone.now()),
        "before": before,
        "kinds": AlertChannel.Kind.choices,
        "may_manage": request.user.has_perm(PERMISSION),
        "may_read_answers": request.user.has_perm(PERMISSION)
        or request.user.has_perm("featurememory.operate_alerts"),
    }
    return render(request, f"alerts/{'_channels' if is_refresh(request) else 'channels'}.html", context)


@require_safe
@signed_in
def export_channels(request: HttpRequest) -> StreamingHttpResponse:
    """The channels, as CSV or with `?format=json`."""
    return list_file(request, "channels", EXPORTED_CHANNELS, list_channels())


@require_safe
@signed_in
def export_deliveries(request: HttpRequest) -> StreamingHttpResponse:
    """What was told, as CSV or with `?format=json`."""
    return list_file(request, "deliveries", EXPORTED, exported())


@asked_or_posted
@signed_in
@manages
def add_channel(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in SETTINGS:
        raise Http404(f"There is no channel of kind {kind!r}; there are {', '.join(SETTINGS)}.")
    return _channel(request, kind, None)


@asked_or_posted
@signed_in
@manages
def change_channel(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(AlertChannel, pk=pk)
    return _channel(request, row.kind, row)


@asked_or_posted
@signed_in
@manages
def delete_channel(request: HttpRequest, pk: int) -> HttpResponse:
    def delete(by: By) -> str:
        row = get_object_or_404(AlertChannel, pk=pk)
        channel_actions.delete_channel(row, by=by)
        return f"{row.name} is deleted; what it was told stays in the log."

    row = AlertChannel.objects.filter(pk=pk).first()
    return _delete(request, row, f"Delete the channel {row}?" if row else "", delete)


@asked_or_posted
@signed_in
@manages
def test_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """POST sends a test at once, and shows what the receiver answered."""
    row = get_object_or_404(AlertChannel, pk=pk)
    form, sent = CalmReasonForm(request.POST or None), None
    if form.is_valid():
        by = _by(request, form)
        try:
            sent = DeliveryRow(
                send_test(row, actor=by.actor, reason=by.reason, now=by.now, request_id=by.request_id)
            )
        except ValidationError as refused:
            form.add_error("reason", str(refused))
    status = 422 if form.errors else 200
    if sent is not None:
        form = CalmReasonForm()
    return render(
        request, "alerts/channel_test.html", {"row": row, "form": form, "sent": sent}, status=status
    )


@asked_or_posted
@signed_in
@manages
def add_route(request: HttpRequest) -> HttpResponse:
    return _route(request, None)


@asked_or_posted
@signed_in
@manages
def change_route(request: HttpRequest, pk: int) -> HttpResponse:
    return _route(request, get_object_or_404(AlertRoute, pk=pk))


@asked_or_posted
@signed_in
@manages
def delete_route(request: HttpRequest, pk: int) -> HttpResponse:
    def delete(by: By) -> str:
        channel_actions.delete_route(get_object_or_404(AlertRoute, pk=pk), by=by)
        return "The route is deleted."

    row = AlertRoute.objects.select_related("channel").filter(pk=pk).first()
    title = f"Delete the route of {RouteRow(row).which} to {row.channel}?" if row else ""
    return _delete(request, row, title, delete)


def _channel(request: HttpRequest, kind: str, row: AlertChannel | None) -> HttpResponse:
    form = ChannelForm(kind, row, request.POST or None)
    if form.is_valid():
        try:
            saved = channel_actions.save_channel(
                row,
                name=form.cleaned_data["name"],
                kind=kind,
                given=form.given,
                is_enabled=form.cleaned_data["is_enabled"],
                by=_by(request, form),
            )
        except ConfigurationError as refused:
            form.refuse(refused)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            messages.success(request, f"{saved.name} is saved. Send a test to see whether it works.")
            return redirect("alert-channels")
    context = {"form": form, "row": row, "kind": AlertChannel.Kind(kind).label}
    return render(request, "alerts/channel.html", context, status=422 if form.errors else 200)


def _route(request: HttpRequest, row: AlertRoute | None) -> HttpResponse:
    form = RouteForm(row, request.POST or None)
    if form.is_valid():
        try:
            channel_actions.save_route(row, given=form.given, by=_by(request, form))
        except ConfigurationError as refused:
            form.refuse(refused)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            messages.success(request, "The route is saved; it holds from the next look on, within seconds.")
            return redirect("alert-channels")
    return render(
        request, "alerts/route.html", {"form": form, "row": row}, status=422 if form.errors else 200
    )


def _delete(request: HttpRequest, row: Any, title: str, delete: Callable[[By], str]) -> HttpResponse:
    """Asks for the reason, then deletes; a second submit finds it done."""
    form = CalmReasonForm(request.POST or None)
    if row is None:
        if form.is_valid() and was_done(form.cleaned_data["request_id"]):
            return redirect("alert-channels")
        raise Http404("It is not there any more.")
    if form.is_valid():
        try:
            done = delete(_by(request, form))
        except ConfigurationError as refused:
            form.refuse(refused)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            messages.success(request, done)
            return redirect("alert-channels")
    context = {"form": form, "title": title}
    return render(request, "alerts/channel_delete.html", context, status=422 if form.errors else 200)


def _by(request: HttpRequest, form: ReasonForm) -> By:
    given = form.cleaned_data
    return By(request.user.get_username(), given["reason"], timezone.now(), given["request_id"])


def _moment(text: str) -> datetime | None:
    """None where it is no moment."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and timezone.is_aware(found) else None
