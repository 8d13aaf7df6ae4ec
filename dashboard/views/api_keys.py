"""Keys of programs: which there are, a new one, and the end of one."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.account_forms import KeyForm
from dashboard.alert_channel_forms import CalmReasonForm
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.first_steps import curl_with
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import signed_in
from featurememory.access import TRUSTED_FOR_S
from featurememory.accounts.keys import MAY_MAKE, MAY_REVOKE, MAY_SEE, make_key, revoke_key
from featurememory.audit import By
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError, ValidationError
from featurememory.models import ApiKey

SHOWN = 500
EXPORTED: Columns[ApiKey] = {
    "name": lambda key: key.name,
    "begins_with": lambda key: key.prefix,
    "scopes": lambda key: key.scopes,
    "created_at": lambda key: key.created_at,
    "last_used_at": lambda key: key.last_used_at,
    "revoked_at": lambda key: key.revoked_at,
}


@require_safe
@signed_in
@permission_required(MAY_SEE, raise_exception=True)
def keys(request: HttpRequest) -> HttpResponse:
    """Those in use first."""
    rows = ApiKey.objects.order_by("revoked_at", "name")
    live, gone = rows.filter(revoked_at=None)[:SHOWN], rows.exclude(revoked_at=None).order_by("-revoked_at")
    return render(request, "settings/keys.html", {"live": live, "gone": gone[:SHOWN]})


@require_safe
@signed_in
@permission_required(MAY_SEE, raise_exception=True)
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All of them, as CSV or with `?format=json`; of a key only how it begins."""
    return list_file(request, "keys", EXPORTED, ApiKey.objects.order_by("name")[:MOST_ROWS].iterator(AT_ONCE))


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_MAKE, raise_exception=True)
@cache_control(no_store=True)
def new(request: HttpRequest) -> HttpResponse:
    """POST answers with the key itself: it is kept in no session, no cookie and no cache."""
    form = KeyForm(request.POST or None)
    if form.is_valid():
        try:
            given = form.cleaned_data
            row, key = make_key(given["name"], given["scopes"], by_whom(request, form))
        except ConfigurationError as wrong:
            form.refuse(wrong)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            base = request.build_absolute_uri(reverse("overview")).rstrip("/")
            return render(
                request, "settings/key_made.html", {"row": row, "key": key, "curl": curl_with(key, base)}
            )
    return render(request, "settings/key.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_REVOKE, raise_exception=True)
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks for the reason; POST ends the key, and may be repeated without harm."""
    row, form = get_object_or_404(ApiKey, pk=pk), ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            revoke_key(pk, by_whom(request, form))
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            said = f"{row.name} is revoked; after {TRUSTED_FOR_S:g} s at most nobody takes it any more."
            tell(request, Done(said, went_well=True))
            return redirect("settings-keys")
    context = {"row": row, "form": form, "trusted_for_s": TRUSTED_FOR_S}
    return render(request, "settings/key_revoke.html", context, status=422 if form.errors else 200)


def by_whom(request: HttpRequest, form: ReasonForm | CalmReasonForm) -> By:
    given = form.cleaned_data
    return By(request.user.get_username(), given["reason"], timezone.now(), given["request_id"])
