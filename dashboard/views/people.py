"""Who gets in: people, their roles and passwords, and who is locked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.account_forms import PersonForm, RoleForm
from dashboard.alert_channel_forms import CalmReasonForm
from dashboard.people_rows import EXPORTED, ROLE_WORDS, list_people
from dashboard.views.api_keys import by_whom
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import signed_in
from featurememory.accounts import people as services
from featurememory.accounts.lockouts import read_lockouts, release_lockout
from featurememory.accounts.people import MAY_MANAGE
from featurememory.audit import By, was_done
from featurememory.circuit_breaker.operator_actions import Done
from featurememory.errors import ConfigurationError, ValidationError
from featurememory.roles import ROLES, role_of

manages = permission_required(MAY_MANAGE, raise_exception=True)
asked_or_posted = require_http_methods(["GET", "POST"])


@dataclass(frozen=True, slots=True)
class Question:
    """What stands on the page that asks for the reason; `title` holds the place of a name."""

    title: str
    verb: str
    consequence: str
    is_harmful: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done to one person. `done` completes "NAME ..."."""

    question: Question
    done: str
    carry_out: Callable[[int, By], User]


ACTS = {
    "deactivate": Act(
        Question(
            "Deactivate {}?",
            "Deactivate",
            "Signed out everywhere at once, and kept out until an administrator lets them in again. What they did "
            "stays in the audit.",
            is_harmful=True,
        ),
        "is deactivated, and signed out everywhere.",
        services.deactivate,
    ),
    "activate": Act(
        Question(
            "Let {} in again?", "Let in again", "They can sign in with the password and the role of before."
        ),
        "can sign in again.",
        services.activate,
    ),
}
NEW_PASSWORD = Question(
    "Set a new password for {}?",
    "Set a new password",
    "A new password is drawn and shown to you once. The old one stops working, and they are signed out everywhere; at "
    "their next sign-in they are asked to choose one of their own.",
)


@require_safe
@signed_in
@manages
def people(request: HttpRequest) -> HttpResponse:
    rows, lockouts = list_people(), read_lockouts(timezone.now())
    context = {
        "people": rows,
        "lockouts": lockouts,
        "roles": [(role, ROLE_WORDS[role]) for role in ROLES],
    }
    return render(request, "settings/people.html", context)


@require_safe
@signed_in
@manages
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Who gets in, as CSV or with `?format=json`."""
    return list_file(request, "people", EXPORTED, list_people())


@asked_or_posted
@signed_in
@manages
@cache_control(no_store=True)
def add(request: HttpRequest) -> HttpResponse:
    """POST answers with the first password: it is kept nowhere."""
    form = PersonForm(request.POST or None, initial={"role": "viewer"})
    if form.is_valid():
        given = form.cleaned_data
        try:
            user, password = services.add_person(given["name"], given["role"], by_whom(request, form))
        except ConfigurationError as wrong:
            form.refuse(wrong)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            return render(
                request,
                "settings/password_given.html",
                {"person": user, "password": password, "is_new": True},
            )
    return render(request, "settings/person.html", {"form": form}, status=422 if form.errors else 200)


@asked_or_posted
@signed_in
@manages
def role(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    form = RoleForm(request.POST or None, initial={"role": role_of(person)})
    if form.is_valid():
        try:
            services.change_role(pk, form.cleaned_data["role"], by_whom(request, form))
        except ConfigurationError as wrong:
            form.refuse(wrong)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            tell(request, Done(f"{person} is {form.cleaned_data['role']} from now on.", went_well=True))
            return redirect("settings-people")
    context = {"person": person, "form": form}
    return render(request, "settings/role.html", context, status=422 if form.errors else 200)


@asked_or_posted
@signed_in
@manages
def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    person, chosen = get_object_or_404(User, pk=pk), ACTS[action]
    form = CalmReasonForm(request.POST or None)
    if form.is_valid():
        try:
            chosen.carry_out(pk, by_whom(request, form))
        except ConfigurationError as wrong:
            form.refuse(wrong)
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            tell(request, Done(f"{person} {chosen.done}", went_well=True))
            return redirect("settings-people")
    return _ask(request, chosen.question, str(person), form)


@asked_or_posted
@signed_in
@manages
@cache_control(no_store=True)
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """POST answers with the new password: it is kept nowhere."""
    person, form = get_object_or_404(User, pk=pk), CalmReasonForm(request.POST or None)
    if form.is_valid():
        try:
            _, drawn = services.give_password(pk, by_whom(request, form))
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            return render(request, "settings/password_given.html", {"person": person, "password": drawn})
    return _ask(request, NEW_PASSWORD, str(person), form)


@asked_or_posted
@signed_in
@manages
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """`pk` is one of the attempts that the lockout is made of."""
    form = CalmReasonForm(request.POST or None)
    found = next((each for each in read_lockouts(timezone.now()) if each.pk == pk), None)
    if found is None:
        if form.is_valid() and was_done(form.cleaned_data["request_id"]):
            return redirect("settings-people")
        raise Http404("It is over, or was lifted already.")
    if form.is_valid():
        try:
            release_lockout(found, by_whom(request, form))
        except ValidationError as refused:
            form.add_error("reason", str(refused))
        else:
            said = f"{found.username} may try again from {found.address}."
            tell(request, Done(said, went_well=True))
            return redirect("settings-people")
    question = Question(
        "Lift the lockout of {}?",
        "Let them try again",
        f"{found.failures} wrong passwords were tried from {found.address}. They are forgotten, and the next try is "
        "let through at once. Make sure that it was them.",
    )
    return _ask(request, question, found.username, form)


def _ask(request: HttpRequest, question: Question, name: str, form: CalmReasonForm) -> HttpResponse:
    context = {"question": question, "title": question.title.format(name), "crumb": name, "form": form}
    return render(request, "settings/person_act.html", context, status=422 if form.errors else 200)
