"""What an operator can do to breakers, in words, for every page that offers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from django import forms

from featurememory.circuit_breaker import commands
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.models import Breaker

HELD_STATES = (Breaker.State.FORCED_OPEN, Breaker.State.DISABLED, Breaker.State.METRICS_ONLY)
PERMISSION = "featurememory.operate_breaker"
NOT_HANDED_ON = (
    "The news could not be handed on at once, because the live bus does not answer: connected processes find it by "
    "themselves when they next look, about once a second."
)


class Command(Protocol):
    """A function of commands.py."""

    def __call__(self, name: str, order: commands.Order) -> commands.Effect: ...


@dataclass(frozen=True, slots=True)
class OperatorAction:
    slug: str
    verb: str
    """On the button."""
    done: str
    """Completes "Breaker NAME ..."; of an act that may have an end, up to that end."""
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
            "is forced open: it refuses every call",
            "Every call is refused, in the whole fleet, until somebody releases or resets it or its time is over.",
            commands.force_open_breaker,
            leads_to=Breaker.State.FORCED_OPEN,
            is_harmful=True,
        ),
        OperatorAction(
            "disable",
            "Disable",
            "is disabled: it lets every call through",
            "Every call goes through, whatever fails, until somebody releases or resets it or its time is over.",
            commands.disable_breaker,
            leads_to=Breaker.State.DISABLED,
            is_harmful=True,
        ),
        OperatorAction(
            "metrics-only",
            "Only measure",
            "only measures: it lets every call through and shows what it would have done,",
            "Every call goes through, whatever fails; the breaker goes on counting and shows what it would have done, "
            "until somebody releases or resets it or its time is over.",
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


@dataclass(frozen=True, slots=True)
class Done:
    """What an operator reads when something was done: plain success only where nothing is left to wait for."""

    text: str
    went_well: bool


def carry_out(action: OperatorAction, name: str, given: Mapping[str, Any], actor: str, now: datetime) -> Done:
    """Does what a valid form asks for; fails as the functions of commands.py do."""
    minutes = given.get("minutes") or 0
    until = now + timedelta(minutes=minutes) if minutes else None
    order = commands.Order(actor, given["reason"], until=until, request_id=given["request_id"])
    effect = action.command(name, order)
    text = f"Breaker {name} {action.done}"
    if action.leads_to is not None:
        text += f" until {_end(until)}."
    return Done(_with_news(text, effect.was_handed_on), effect.was_handed_on)


def _end(until: datetime | None) -> str:
    someone = "somebody releases or resets it"
    return someone if until is None else f"{until.astimezone(UTC):%H:%M} UTC, unless {someone} before"


def _with_news(text: str, was_handed_on: bool) -> str:
    return text if was_handed_on else f"{text} {NOT_HANDED_ON}"


@dataclass(frozen=True, slots=True)
class ManyReset:
    """What came of resetting many; `gone` are the names of those that are there no more."""

    breakers: tuple[Breaker, ...]
    gone: tuple[str, ...]
    was_handed_on: bool

    @property
    def done(self) -> Done:
        number = len(self.breakers)
        text = {
            0: "No breaker was reset.",
            1: "1 breaker was reset: it is closed and starts counting anew.",
        }.get(number, f"{number:,} breakers were reset: they are closed and start counting anew.")
        if self.gone:
            text += f" There {'is' if len(self.gone) == 1 else 'are'} no more: {', '.join(self.gone)}."
        return Done(_with_news(text, self.was_handed_on), went_well=self.was_handed_on and not self.gone)


def reset_breakers(names: Iterable[str], actor: str, reason: str, request_id: UUID) -> ManyReset:
    """Resets each, with an audit row of its own; given again with the same `request_id` it does nothing."""
    order, were_handed_on = commands.Order(actor, reason), []
    found, gone = [], []
    for name in dict.fromkeys(names):
        try:
            effect = commands.reset_breaker(name, replace(order, request_id=uuid5(request_id, name)))
        except UnknownBreaker:
            gone.append(name)
            continue
        found.append(effect.breaker)
        were_handed_on.append(effect.was_handed_on)
    return ManyReset(tuple(found), tuple(gone), all(were_handed_on))
