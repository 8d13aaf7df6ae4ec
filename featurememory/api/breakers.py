"""Breakers: how they stand, and an operator's hand on them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema
from pydantic import Field

from featurememory.access import Caller
from featurememory.api.auth import ScopedKey
from featurememory.api.problems import Problem
from featurememory.circuit_breaker import commands
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.ingestion.operations import StorableText
from featurememory.live.events import BreakerView, view_breaker
from featurememory.models import Breaker

router = Router()


class BreakerPage(Schema):
    items: list[BreakerView]
    next_cursor: str | None


class Reason(Schema):
    """Why; it stands in the audit beside the key's name."""

    reason: str = Field(min_length=1, max_length=commands.MAX_REASON, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")


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


def _offer(action: str, summary: str, command: Callable[..., Breaker]) -> None:
    def act(request: HttpRequest, name: Path[StorableText], body: Reason) -> BreakerView:
        caller: Caller = request.auth  # type: ignore[attr-defined]
        return view_breaker(command(name, actor=caller.actor, reason=body.reason), timezone.now())

    act.__doc__ = command.__doc__
    router.post(
        f"/{{path:name}}/{action}",
        auth=ScopedKey("control"),
        response={200: BreakerView, 400: Problem, 401: Problem, 403: Problem, 404: Problem, 422: Problem},
        summary=summary,
        operation_id=f"{action.replace('-', '_')}_breaker",
    )(act)


_offer("reset", "Reset a breaker", commands.reset_breaker)
_offer("force-open", "Force a breaker open", commands.force_open_breaker)
_offer("disable", "Disable a breaker", commands.disable_breaker)
_offer("release", "Release a breaker", commands.release_breaker)


# After the actions: its path would match theirs.
@router.get(
    "/{path:name}", auth=ScopedKey("read"),
    response={200: BreakerView, 401: Problem, 403: Problem, 404: Problem, 422: Problem}, summary="One breaker",
)  # fmt: skip
def get_breaker(request: HttpRequest, name: Path[StorableText]) -> BreakerView:
    breaker = Breaker.objects.filter(name=name).first()
    if breaker is None:
        raise UnknownBreaker(f"There is no breaker {name!r}.")
    return view_breaker(breaker, timezone.now())
