"""Changing settings in three steps: look and try, see what would change, apply with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from dashboard.views.breaker_acts import tell
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError

MEANWHILE = (
    "Somebody changed these settings meanwhile. What you see now is how they are: look again, and repeat it."
)


class Proposal(Protocol):
    """What new values come to."""

    @property
    def changes(self) -> Any:
        """Nothing where it is set so already."""


class SettingsForm(Protocol):
    """A field for each setting."""

    def is_valid(self) -> bool: ...

    def values(self) -> Any:
        """What a valid form sets."""

    def refuse(self, wrong: ConfigurationError) -> None:
        """Says what is wrong at the field that it is about."""


F = TypeVar("F", bound=SettingsForm)
P = TypeVar("P", bound=Proposal)


@dataclass(frozen=True, slots=True)
class SettingsChange(Generic[F, P]):
    """`seen` changes with each change of the settings. `propose` and `apply` take what the form sets, and may raise
    ConfigurationError; `apply` also who, why, and the id of the submit, and gives what is said of it."""

    form: Callable[[QueryDict | None], F]
    seen: str
    propose: Callable[[Any], P]
    apply: Callable[[Any, str, Mapping[str, Any]], Done]
    edit_template: str
    preview_template: str
    context: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """GET shows the form, and with `?preview` what it would change; POST applies it, and may be repeated."""
        if request.method == "POST":
            return self._apply(request)
        if "preview" not in request.GET:
            return self._edit(request, self.form(None))
        form = self.form(request.GET)
        proposal = self._judge(form)
        if proposal is None or not proposal.changes:
            return self._edit(request, form, same=proposal is not None)
        return self._preview(request, form, proposal, ReasonForm())

    def _apply(self, request: HttpRequest) -> HttpResponse:
        form, reason = self.form(request.POST), ReasonForm(request.POST)
        if reason.is_valid() and was_done(reason.cleaned_data["request_id"]):
            return redirect(request.path)
        if request.POST.get("seen") != self.seen:
            return self._edit(request, self.form(None), problem=MEANWHILE)
        proposal = self._judge(form)
        if proposal is None:
            return self._edit(request, form)
        if not reason.is_valid():
            return self._preview(request, form, proposal, reason)
        try:
            done = self.apply(form.values(), request.user.get_username(), reason.cleaned_data)
        except ConfigurationError as wrong:  # what lies beneath has changed since it was judged
            form.refuse(wrong)
            return self._edit(request, form)
        tell(request, done)
        return redirect(request.path)

    def _judge(self, form: F) -> P | None:
        """What the form would change; None where something in it is wrong, which it then says."""
        if not form.is_valid():
            return None
        try:
            return self.propose(form.values())
        except ConfigurationError as wrong:
            form.refuse(wrong)
            return None

    def _edit(self, request: HttpRequest, form: F, *, same: bool = False, problem: str = "") -> HttpResponse:
        """As an answer to GET it may well say what is wrong; a POST that did nothing is refused."""
        context = {"form": form, "same": same, "problem": problem, **self.context}
        status = 422 if request.method == "POST" else 200
        return render(request, self.edit_template, context, status=status)

    def _preview(self, request: HttpRequest, form: F, proposal: P, reason: ReasonForm) -> HttpResponse:
        context = {"form": form, "seen": self.seen, "proposal": proposal, "reason": reason, **self.context}
        return render(request, self.preview_template, context, status=422 if reason.errors else 200)
