"""What an operator can do to a breaker, in words, for every page that offers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from django import forms

from featurememory.circuit_breaker import commands
from featurememory.models import Breaker

PERMISSION = "featurememory.operate_breaker"


class Command(Protocol):
    """A function of commands.py."""

    def __call__(self, name: str, *, actor: str, reason: str, request_id: UUID | None = None) -> Breaker: ...


@dataclass(frozen=True, slots=True)
class OperatorAction:
    slug: str
    verb: str
    """On the button."""
    done: str
    """Completes "Breaker NAME ..."."""
    consequence: str
    command: Command
    is_harmful: bool = False

    def suits(self, state: str) -> bool:
        """Whether it changes anything for a breaker in `state`."""
        held = state in (Breaker.State.FORCED_OPEN, Breaker.State.DISABLED)
        match self.slug:
            case "release":
                return held
            case "force-open":
                return state != Breaker.State.FORCED_OPEN
            case "disable":
                return state != Breaker.State.DISABLED
            case _:
                return True


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
            is_harmful=True,
        ),
        OperatorAction(
            "disable",
            "Disable",
            "is disabled: it lets every call through until somebody releases or resets it.",
            "Every call goes through, whatever fails, until somebody releases or resets it.",
            commands.disable_breaker,
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
