"""One's own account: e-mail, password, and where one is signed in."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.account_forms import EmailForm
from dashboard.people_rows import ROLE_WORDS, list_sessions
from dashboard.views.breaker_acts import page_before
from dashboard.views.signed_in import signed_in
from dashboard.words import plural
from featurememory.accounts import own
from featurememory.accounts.sessions import ASKED_TO_CHANGE, sessions_of
from featurememory.roles import role_of


@require_http_methods(["GET", "POST"])
@signed_in
def account(request: HttpRequest) -> HttpResponse:
    """POST changes the e-mail address."""
    form = EmailForm(request.POST or None, initial={"email": _me(request).email})
    if request.method == "POST" and form.is_valid():
        own.change_email(_me(request), form.cleaned_data["email"], timezone.now())
        messages.success(request, "Your e-mail address is saved.")
        return redirect("account")
    role = role_of(_me(request))
    context = {
        "form": form,
        "role": role,
        "may": ROLE_WORDS[role],
        "sessions": list_sessions(_me(request), request.session.session_key),
    }
    return render(request, "account/account.html", context, status=422 if form.errors else 200)


@require_POST
@signed_in
def sign_out_one(request: HttpRequest, pk: int) -> HttpResponse:
    """One of one's own; of this one there is the button to sign out."""
    if not sessions_of(_me(request)).filter(pk=pk).exclude(session=request.session.session_key).exists():
        raise Http404("It is over already.")
    own.sign_out(_me(request), only=pk, now=timezone.now())
    messages.success(request, "That session is signed out.")
    return redirect("account")


@require_POST
@signed_in
def sign_out_others(request: HttpRequest) -> HttpResponse:
    """Every session but this."""
    ended = own.sign_out(_me(request), but=request.session.session_key, now=timezone.now())
    messages.success(
        request,
        f"{plural(ended, 'other session')} signed out." if ended else "You are signed in nowhere else.",
    )
    return redirect("account")


@require_POST
@signed_in
def password_later(request: HttpRequest) -> HttpResponse:
    """Asked again at the next sign-in."""
    request.session.pop(ASKED_TO_CHANGE, None)
    return redirect(page_before(request) or "overview")


class ChangePassword(PasswordChangeView):
    """Ends every other session of theirs."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        self.request.session.pop(ASKED_TO_CHANGE, None)
        ended = own.chose_password(form.user, self.request.session.session_key, timezone.now())
        others = f" {plural(ended, 'other session')} signed out." if ended else ""
        messages.success(self.request, f"Your password is changed.{others}")
        return answer


def _me(request: HttpRequest) -> User:
    """Who has signed in."""
    return cast("User", request.user)
