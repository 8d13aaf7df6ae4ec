"""An operator's hand on one breaker, or on many at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from dashboard.breaker_page import read_row
from dashboard.breaker_rows import MOST, BreakerRow, Filter, list_breakers, rows_named
from dashboard.views.signed_in import signed_in
from featurememory.circuit_breaker.operator_actions import (
    ACTIONS,
    PERMISSION,
    ActForm,
    Done,
    carry_out,
    reset_breakers,
)
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.errors import ValidationError
from featurememory.models import Breaker


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def act(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """GET asks for the reason; POST acts, says so on the breaker's page, or on the page of ours that `?next=` names,
    and may be repeated without harm."""
    found = get_object_or_404(Breaker, name=name)
    chosen = ACTIONS[action]
    form = chosen.form(request.POST or None)
    if form.is_valid():
        try:
            done = carry_out(chosen, name, form.cleaned_data, request.user.get_username(), timezone.now())
        except UnknownBreaker as gone:
            raise Http404(str(gone)) from None
        except ValidationError as refused:
            form.add_error("reason", str(refused))
            form.look_again()
        else:
            tell(request, done)
            return redirect(page_before(request) or reverse("breaker", args=[name]))
    context = {
        "row": read_row(found, timezone.now()),
        "action": chosen,
        "form": form,
        "back": page_before(request) or reverse("breaker", args=[name]),
    }
    return render(request, "breakers/act.html", context, status=422 if form.errors else 200)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a reset of many would touch: `ticked` are the names of those that it does unless told otherwise, `gone`
    names that there are no breakers of."""

    rows: list[BreakerRow]
    ticked: set[str]
    gone: list[str]

    @property
    def shown_most(self) -> int:
        return MOST if len(self.rows) == MOST else 0


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(PERMISSION, raise_exception=True)
def reset_many(request: HttpRequest) -> HttpResponse:
    """GET shows what a reset would touch: `?name=a&name=b`, or `?all=yes` with the list's filter, where those that an
    operator holds are left to be ticked. POST resets what is ticked, says so on the list of just these, and may be
    repeated without harm."""
    form = ActForm(request.POST or None)
    names = [name for name in request.POST.getlist("name") if "\0" not in name][:MOST]
    if form.is_valid() and names:
        many = reset_breakers(names, form.cleaned_data, request.user.get_username())
        tell(request, many.done)
        only = ",".join(str(breaker.pk) for breaker in many.breakers)
        return redirect(f"{reverse('breakers')}?only={only}")
    touched = _touched(request, names, timezone.now())
    status = 422 if request.method == "POST" else 200
    return render(request, "breakers/reset_many.html", {"touched": touched, "form": form}, status=status)


def _touched(request: HttpRequest, names: list[str], now: datetime) -> Touched:
    if "all" in request.GET:
        rows = list_breakers(Filter.read(request.GET), now)
        return Touched(rows, {row.breaker.name for row in rows if not row.is_held}, [])
    rows, gone = rows_named(names or request.GET.getlist("name"), now)
    return Touched(rows, {row.breaker.name for row in rows}, gone)


def page_before(request: HttpRequest) -> str:
    """Where `?next=` leads back to, if that is a page of ours."""
    url = request.GET.get("next", "")
    return url if url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}) else ""


def tell(request: HttpRequest, done: Done) -> None:
    """On the next page, as success only where nothing is left to wait for."""
    messages.add_message(request, messages.SUCCESS if done.went_well else messages.WARNING, done.text)
