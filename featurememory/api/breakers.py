"""Breakers: how they stand, and an operator's hand on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.problems import Problem
from featurememory.circuit_breaker import commands
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.circuit_breaker.permits import ask_for_permit, read_permit
from featurememory.circuit_breaker.reports import report_trip
from featurememory.circuit_breaker.storage import find_breaker
from featurememory.ingestion.operations import Moment, Name, Permit, StorableText
from featurememory.live.events import BreakerView, view_breaker
from featurememory.models import Breaker
from featurememory.reasons import MAX_REASON

router = Router()


class BreakerPage(Schema):
    items: list[BreakerView]
    next_cursor: str | None


Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REASON,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        description="Stands in the audit beside the key's name.",
    ),
]


class OrderBody(Schema):
    """Why, and how."""

    reason: Reason
    until: Moment | None = Field(None, description="When what is laid over the breaker ends by itself.")
    request_id: UUID | None = Field(None, description="Given again with the same id a command does nothing.")
    expected_epoch: int | None = Field(
        None, ge=0, le=2**62, description="Refuses the command (409) when the breaker has moved on since."
    )


HandedOn = Annotated[
    bool,
    Field(
        description="Whether connected processes were told at once. False: the live bus does not answer, and they find "
        "it by themselves, about a second later."
    ),
]


class CommandedBreaker(BreakerView):
    """The breaker after what was asked for; it stands whether the news was handed on or not."""

    handed_on: HandedOn


class PermitAnswer(Schema):
    allowed: bool
    state: str = Field(description="The breaker's; `closed` for one that nothing is known of yet.")
    retry_after_ms: float | None = Field(
        description="Until the next probe may go; null where time does not decide."
    )
    permit: str = Field(
        description="Report the operation with it, as its `permit`. Empty where none is given."
    )


class TripBody(Schema):
    """A process's own breaker has opened."""

    instance: Name = Field(description="Which process.")
    message: str = Field(max_length=400, pattern=r"^[^\x00]*$", description="Why, with figures.")
    permit: Permit = Field(
        "", description="That of the last call; a trip from before the present epoch is late."
    )


class ConfigurationBody(Schema):
    """The settings of one layer; those left out fall to the layers below."""

    config: dict[str, Any] = Field(description="Names and meaning: `max_failures`, `window_type`, ...")
    reason: Reason


class BreakerSearch(Schema):
    state: Breaker.State | None = None
    cursor: StorableText | None = Field(None, description="The last name of the page before.")
    limit: int = Field(100, ge=1, le=500)


@router.get(
    "", auth=ScopedKey("read"), response={200: BreakerPage, 401: Problem, 403: Problem, 422: Problem},
    summary="List breakers",
)  # fmt: skip
def list_breakers(request: HttpRequest, search: Query[BreakerSearch]) -> BreakerPage:
    """By name."""
    rows = Breaker.objects.order_by("name")
    if search.state is not None:
        rows = rows.filter(state=search.state)
    if search.cursor is not None:
        rows = rows.filter(name__gt=search.cursor)
    found = list(rows[: search.limit + 1])
    page, now = found[: search.limit], timezone.now()
    return BreakerPage(
        items=[view_breaker(breaker, now) for breaker in page],
        next_cursor=page[-1].name if len(found) > search.limit else None,
    )


def refusals(*statuses: int) -> dict[int, type[Problem]]:
    return dict.fromkeys(statuses, Problem)


def _offer(action: str, summary: str, command: Callable[..., commands.Effect]) -> None:
    def act(request: HttpRequest, name: Path[StorableText], body: OrderBody) -> CommandedBreaker:
        effect = command(name, commands.Order(actor_of(request), **body.model_dump()))
        return _commanded(effect.breaker, effect.was_handed_on)

    act.__doc__ = command.__doc__
    router.post(
        f"/{{path:name}}/{action}",
        auth=ScopedKey("control"),
        response={200: CommandedBreaker, **refusals(400, 401, 403, 404, 409, 422)},
        summary=summary,
        operation_id=f"{action.replace('-', '_')}_breaker",
    )(act)


def _commanded(breaker: Breaker, handed_on: bool) -> CommandedBreaker:
    return CommandedBreaker(**view_breaker(breaker, timezone.now()).model_dump(), handed_on=handed_on)


_offer("reset", "Reset a breaker", commands.reset_breaker)
_offer("force-open", "Force a breaker open", commands.force_open_breaker)
_offer("disable", "Disable a breaker", commands.disable_breaker)
_offer("metrics-only", "Let a breaker only measure", commands.only_measure_breaker)
_offer("release", "Release a breaker", commands.release_breaker)


@router.post(
    "/{path:name}/permits", auth=ScopedKey("ingest"),
    response={200: PermitAnswer, **refusals(401, 403, 404, 422)}, summary="May one call go?",
)  # fmt: skip
def ask_permit(request: HttpRequest, name: Path[StorableText]) -> PermitAnswer:
    """For callers without the SDK: ask, call, and report the operation with the `permit`. A probe that is not
    reported within half_open_timeout_ms counts as failed. A breaker comes into being with the first operation it
    covers: 404 means that nothing speaks against the call."""
    return PermitAnswer(**asdict(ask_for_permit(name, timezone.now())))


@router.post(
    "/{path:name}/trip", auth=ScopedKey("ingest"),
    response={200: BreakerView, **refusals(400, 401, 403, 404, 422)}, summary="Report that a process's breaker opened",
)  # fmt: skip
def trip_breaker(request: HttpRequest, name: Path[StorableText], body: TripBody) -> BreakerView:
    """Opens the fleet's breaker, once as many processes as its `trip_quorum` have tripped within a minute."""
    now = timezone.now()
    epoch, _ = read_permit(body.permit)
    return view_breaker(report_trip(name, body.instance, body.message, now, epoch), now)


# After the actions: its path would match theirs.
@router.get(
    "/{path:name}", auth=ScopedKey("read"),
    response={200: BreakerView, 401: Problem, 403: Problem, 404: Problem, 422: Problem}, summary="One breaker",
)  # fmt: skip
def get_breaker(request: HttpRequest, name: Path[StorableText]) -> BreakerView:
    return view_breaker(find_breaker(name), timezone.now())


@router.put(
    "/{path:name}", auth=ScopedKey("control"),
    response={200: CommandedBreaker, **refusals(400, 401, 403, 404, 422)}, summary="Configure one breaker",
)  # fmt: skip
def configure_breaker(
    request: HttpRequest, name: Path[StorableText], body: ConfigurationBody
) -> CommandedBreaker:
    """Replaces what is set for this breaker alone; takes effect everywhere at once, and keeps its window."""
    find_breaker(name)
    done = configure(Scope.BREAKER, name, body.config, actor=actor_of(request), reason=body.reason)
    return _commanded(find_breaker(name), done.was_handed_on)
