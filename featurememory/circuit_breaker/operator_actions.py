"""What an operator can do to a breaker, in words, for every page that offers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from django import forms

from featurememory.circuit_breaker import commands
from featurememory.models import Breaker

HELD_STATES = (Breaker.State.FORCED_OPEN, Breaker.State.DISABLED, Breaker.State.METRICS_ONLY)
PERMISSION = "featurememory.operate_breaker"


class Command(Protocol):
    """A function of commands.py."""

    def __call__(self, name: str, order: commands.Order) -> commands.Effect: ...


@dataclass(frozen=True, slots=True)
class OperatorAction:
    slug: str
    verb: str
    """On the button."""
    done: str
    """Completes "Breaker NAME ..."."""
    consequence: str
    command: Command
    leads_to: Breaker.State | None = None
    """The state that it lays over the breaker; such an act may have an end."""
    is_harmful: bool = False

    @property
    def form(self) -> type[ReasonForm]:
        """What it has to be asked."""
        return ReasonForm if self.leads_to is None else ReasonAndEndForm

    def suits(self, state: str) -> bool:
        """Whether it changes anything for a breaker in `state`."""
        if self.slug == "release":
            return state in HELD_STATES
        return state != self.leads_to


ACTIONS = {
    action.slug: action
    for action in (
        OperatorAction(
            "reset",
            "Reset",
            "was reset: it is closed and starts counting anew.",
            "It closes at once for the whole fleet: calls go through again, its counts and its waiting time start "
            "anew, and what an operator had laid over it is lifted.",
            commands.reset_breaker,
        ),
        OperatorAction(
            "release",
            "Release",
            "was released: its own state counts again.",
            "The operator's hand is lifted and the state the breaker computed by itself counts again.",
            commands.release_breaker,
        ),
        OperatorAction(
            "force-open",
            "Force open",
            "is forced open: it refuses calls until somebody releases or resets it.",
            "Every call is refused, in the whole fleet, until somebody releases or resets it.",
            commands.force_open_breaker,
            leads_to=Breaker.State.FORCED_OPEN,
            is_harmful=True,
        ),
        OperatorAction(
            "disable",
            "Disable",
            "is disabled: it lets every call through until somebody releases or resets it.",
            "Every call goes through, whatever fails, until somebody releases or resets it.",
            commands.disable_breaker,
            leads_to=Breaker.State.DISABLED,
            is_harmful=True,
        ),
        OperatorAction(
            "metrics-only",
            "Only measure",
            "only measures: it lets every call through and shows what it would have done.",
            "Every call goes through, whatever fails; the breaker goes on counting and shows what it would have done, "
            "until somebody releases or resets it.",
            commands.only_measure_breaker,
            leads_to=Breaker.State.METRICS_ONLY,
            is_harmful=True,
        ),
    )
}


class ReasonForm(forms.Form):
    """Why; and the id by which a second submit of the same page is known and does nothing."""

    reason = forms.CharField(
        max_length=commands.MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="Stands in the audit beside your name.",
        error_messages={"required": "Say why; it stands in the audit beside your name."},
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


class ReasonAndEndForm(ReasonForm):
    """And for how long, where something is laid over a breaker."""

    minutes = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        choices=(
            (0, "until somebody releases it"),
            (15, "15 minutes"),
            (60, "1 hour"),
            (240, "4 hours"),
            (1_440, "1 day"),
        ),
        required=False,
    )


def order_of(given: Mapping[str, Any], actor: str, now: datetime) -> commands.Order:
    """What a valid form asks for."""
    minutes = given.get("minutes") or 0
    until = now + timedelta(minutes=minutes) if minutes else None
    return commands.Order(actor, given["reason"], until=until, request_id=given["request_id"])
