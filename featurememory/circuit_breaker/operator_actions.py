"""What an operator can do to breakers, in words, for every page that offers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4, uuid5

from django import forms

from featurememory.audit import was_done
from featurememory.circuit_breaker import commands
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, Breaker, BreakerEvent
from featurememory.reasons import MAX_REASON
from featurememory.sequence import last_sequence_number

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
    def form(self) -> type[ActForm]:
        """What it has to be asked."""
        return ActForm if self.leads_to is None else ActAndEndForm

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
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="Stands in the audit beside your name.",
        error_messages={"required": "Say why; it stands in the audit beside your name."},
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


class ActForm(ReasonForm):
    """And how far the live sequence had come when the page was shown: nobody undoes unseen what another operator has
    done since."""

    looked_at = forms.IntegerField(
        required=False, min_value=0, widget=forms.HiddenInput, initial=last_sequence_number
    )

    def look_again(self) -> None:
        """Before it is shown once more, with what another operator has done meanwhile."""
        self.data = dict(self.data.items()) | {"looked_at": last_sequence_number()}


class ActAndEndForm(ActForm):
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
    """Does what a valid form asks for; fails as the functions of commands.py do, and where another operator has acted
    on the breaker since the form was shown."""
    request_id = given["request_id"]
    if not was_done(request_id):
        for other in _acts_since([name], given.get("looked_at")):
            raise ValidationError(
                f"{other.actor} has acted on it meanwhile: “{other.reason}”. Submit again if you still mean it.",
                [{"field": "reason", "code": "acted_meanwhile", "message": other.message}],
            )
    minutes = given.get("minutes") or 0
    until = now + timedelta(minutes=minutes) if minutes else None
    order = commands.Order(actor, given["reason"], until=until, request_id=request_id)
    effect = action.command(name, order)
    text = f"Breaker {name} {action.done}"
    if action.leads_to is not None:
        text += f" until {_end(until)}."
    return Done(_with_news(text, effect.was_handed_on), effect.was_handed_on)


def _acts_since(names: Iterable[str], looked_at: int | None) -> Iterable[BreakerEvent]:
    """What operators have done to the named breakers since then, newest first."""
    if looked_at is None:
        return ()
    return BreakerEvent.objects.filter(sequence__gt=looked_at, name__in=list(names)).exclude(actor="")


def _end(until: datetime | None) -> str:
    someone = "somebody releases or resets it"
    return someone if until is None else f"{until.astimezone(UTC):%H:%M} UTC, unless {someone} before"


def _with_news(text: str, was_handed_on: bool) -> str:
    return text if was_handed_on else f"{text} {NOT_HANDED_ON}"


@dataclass(frozen=True, slots=True)
class ManyReset:
    """What came of resetting many; `gone` are the names of those that are there no more, `taken` those that another
    operator has acted on since they were shown: they were left alone."""

    breakers: tuple[Breaker, ...]
    gone: tuple[str, ...]
    taken: tuple[str, ...]
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
        if self.taken:
            text += f" Another operator has acted meanwhile on what was left alone: {', '.join(self.taken)}."
        return Done(
            _with_news(text, self.was_handed_on),
            went_well=self.was_handed_on and not self.gone and not self.taken,
        )


def reset_breakers(names: Iterable[str], given: Mapping[str, Any], actor: str) -> ManyReset:
    """Resets each for the reason that a valid ActForm gives, with an audit row of its own; submitted again it does
    nothing."""
    ids = {name: uuid5(given["request_id"], name) for name in names}
    known = set(AuditEntry.objects.filter(request_id__in=ids.values()).values_list("request_id", flat=True))
    taken = {event.name for event in _acts_since(ids, given.get("looked_at")) if ids[event.name] not in known}
    order, were_handed_on = commands.Order(actor, given["reason"]), []
    found, gone = [], []
    for name, request_id in ids.items():
        if name in taken:
            continue
        try:
            effect = commands.reset_breaker(name, replace(order, request_id=request_id))
        except UnknownBreaker:
            gone.append(name)
            continue
        found.append(effect.breaker)
        were_handed_on.append(effect.was_handed_on)
    return ManyReset(tuple(found), tuple(gone), tuple(sorted(taken)), all(were_handed_on))
