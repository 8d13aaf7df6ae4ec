"""What processes that follow the breakers say: that they have applied an operator's act, and what their own did."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from featurememory.api.auth import ScopedKey
from featurememory.api.breakers import refusals
from featurememory.circuit_breaker.reports import Told, remember_local_transitions
from featurememory.ingestion.operations import Moment, Name
from featurememory.live.followers import ACKNOWLEDGEMENTS
from featurememory.models import Breaker

router = Router()

Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]


class Acknowledgement(Schema):
    instance: Name
    sequence: int = Field(ge=0, le=2**62, description="The newest event of the stream that is applied.")


class LocalTransition(Schema):
    number: int = Field(
        ge=1, le=2**62, description="The process's own count: a repeated report changes nothing."
    )
    breaker: Annotated[str, Field(min_length=1, max_length=401, pattern=r"^[^\x00]*$")]
    from_state: Breaker.State
    to_state: Breaker.State
    cause: Annotated[str, Field(max_length=40, pattern=r"^[a-z_]*$")]
    message: Text = ""
    at: Moment = Field(description="By the process's clock.")
    counts: dict[Annotated[str, Field(max_length=40)], int] = Field(default_factory=dict, max_length=20)


class LocalTransitions(Schema):
    instance: Name
    transitions: list[LocalTransition] = Field(max_length=1_000)


@router.post(
    "/acknowledgements", auth=ScopedKey("read"), response={204: None, **refusals(400, 401, 403, 422)},
    summary="Say what was applied",
)  # fmt: skip
def acknowledge(request: HttpRequest, body: Acknowledgement) -> Status[None]:
    """A follower of the stream has applied everything up to `sequence`; the operator's page counts it."""
    ACKNOWLEDGEMENTS.take(body.instance, body.sequence)
    return Status(204, None)


@router.post(
    "/transitions", auth=ScopedKey("ingest"), response={204: None, **refusals(400, 401, 403, 422)},
    summary="Report what a process's own breakers did",
)  # fmt: skip
def report_transitions(request: HttpRequest, body: LocalTransitions) -> Status[None]:
    """By themselves: on their own results, or while the server could not be reached. Kept for the operator's eye; a
    trip that shall open the fleet's breaker goes to `POST /breakers/{name}/trip`."""
    told = [
        Told(
            number=each.number,
            breaker=each.breaker,
            from_state=each.from_state,
            to_state=each.to_state,
            cause=each.cause,
            message=each.message,
            at=each.at,
            counts=each.counts,
        )
        for each in body.transitions
    ]
    remember_local_transitions(body.instance, told, timezone.now())
    return Status(204, None)
