"""Operations in, one by one or a thousand at a time; and out again."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.document import takes_json
from featurememory.api.intake import OPERATIONS, SCOPE, django_view
from featurememory.api.problems import Problem, ProblemError
from featurememory.ingestion.operations import FieldError, Moment, OperationBatch, StorableText
from featurememory.ingestion.receive import BatchAnswer
from featurememory.models import Operation
from featurememory.observability.operation_search import LOOKED_THROUGH, Search, search_operations
from featurememory.optimization.feedback import take_feedback

router = Router()
_receive = django_view(OPERATIONS)


class OperationView(Schema):
    """A stored operation."""

    id: UUID
    operation_type: str
    model: str
    started_at: datetime
    received_at: datetime
    duration_ms: float
    outcome: str
    error_type: str
    error_message: str
    parameters: dict[str, Any]
    attributes: dict[str, Any]
    score: float | None
    space: str
    pattern: int | None
    recommendation: UUID | None
    instance: str
    trace_id: str
    span_id: str
    breaker: str


class OperationPage(Schema):
    items: list[OperationView]
    next_cursor: str | None


class OperationSearch(Schema):
    """What to look for; everything given must hold."""

    since: Moment | None = Field(None, description="Started at or after.")
    until: Moment | None = Field(None, description="Started before.")
    operation_type: StorableText | None = None
    model: StorableText | None = None
    outcome: Literal["success", "error", "timeout", "cancelled", "rejected", "failed"] | None = Field(
        None, description="`failed`: any but `success`."
    )
    breaker: StorableText | None = Field(
        None, description="Also `operation_type:model` where the caller chose none."
    )
    trace_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    pattern: Annotated[int, Field(ge=0, le=2**62)] | None = None
    instance: StorableText | None = Field(None, description="The process that ran it.")
    error_type: StorableText | None = None
    min_duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="It took at least so long."
    )
    cursor: str | None = None
    limit: int = Field(50, ge=1, le=500)


@router.post(
    "",
    auth=ScopedKey(SCOPE),
    response={
        200: BatchAnswer,
        400: Problem,
        401: Problem,
        403: Problem,
        413: Problem,
        422: Problem,
        503: Problem,
    },
    openapi_extra=takes_json(OperationBatch),
    summary="Store operations",
)
def post_operations(request: HttpRequest) -> HttpResponse:
    """Stores up to 1,000 operations. Each is judged by itself; a 200 means that the accepted ones are on disk, and
    ids that were there before change nothing but `duplicates`. The body may be gzipped."""
    return _receive(request)


@router.get(
    "", auth=ScopedKey("read"), response={200: OperationPage, 401: Problem, 403: Problem, 422: Problem},
    summary="Find operations",
    description="The newest first. `next_cursor` leads to the next page; it is null on the last. Conditions that no "
    f"index serves are looked for among {LOOKED_THROUGH:,} operations at a time: a page may then hold fewer than "
    "`limit`, or none, and still have a `next_cursor`.",
)  # fmt: skip
def list_operations(request: HttpRequest, search: Query[OperationSearch]) -> dict[str, Any]:
    given = search.dict(exclude={"cursor", "limit", "min_duration_ms"})
    before = None if search.cursor is None else _position(search.cursor)
    found = search_operations(Search(**given, min_ms=search.min_duration_ms, before=before), search.limit)
    return {"items": found.rows, "next_cursor": None if found.next is None else _cursor(*found.next)}


@router.get(
    "/{uuid:operation_id}", auth=ScopedKey("read"),
    response={200: OperationView, 401: Problem, 403: Problem, 404: Problem}, summary="One operation",
)  # fmt: skip
def get_operation(request: HttpRequest, operation_id: UUID) -> Operation:
    operation = Operation.objects.filter(id=operation_id).first()
    if operation is None:
        raise ProblemError(404, "unknown_operation", "Not found", f"No operation has the id {operation_id}.")
    return operation


class FeedbackBody(Schema):
    """What became clear after the operation was over: one of both, or both."""

    score: float | None = Field(None, ge=0, le=1, description="How good the result was.")
    outcome: Literal["error"] | None = Field(None, description="`error`: it was no good after all.")


class FeedbackAnswer(Schema):
    operation: OperationView
    taught: bool = Field(
        description="Whether something was learned from it: not where the objective needs no score, or nobody asked "
        "for recommendations."
    )


@router.post(
    "/{uuid:operation_id}/feedback", auth=ScopedKey(SCOPE),
    response={200: FeedbackAnswer, 400: Problem, 401: Problem, 403: Problem, 404: Problem, 409: Problem, 422: Problem},
    summary="Say how good an operation was",
)  # fmt: skip
def post_feedback(request: HttpRequest, operation_id: UUID, body: FeedbackBody) -> dict[str, Any]:
    """Once for each operation, after it was stored (404 until then); it teaches as if it had come with it."""
    if body.score is None and body.outcome is None:
        raise ProblemError(
            422, "invalid", "The request has wrong values", "Wrong: score.",
            [FieldError(field="score", code="missing", message="give a score in [0, 1], an outcome, or both")],
        )  # fmt: skip
    heard = take_feedback(
        operation_id,
        actor=actor_of(request),
        now=timezone.now(),
        score=body.score,
        outcome=body.outcome or "",
    )
    return {"operation": heard.operation, "taught": heard.taught}


def _cursor(started_at: datetime, seq: int) -> str:
    return urlsafe_b64encode(f"{started_at.isoformat()} {seq}".encode()).decode()


def _position(cursor: str) -> tuple[datetime, int]:
    try:
        started_at, seq = urlsafe_b64decode(cursor.encode()).decode().split(" ")
        moment = datetime.fromisoformat(started_at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment.astimezone(UTC), int(seq)
    except (ValueError, OverflowError, Base64Error):
        detail = "`cursor` must be a `next_cursor` as it was given; leave it out for the first page."
        raise ProblemError(422, "cursor", "The cursor cannot be read", detail) from None
