"""Annotations: deploys and notes that stand beside the charts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from featurememory.api.alerts import Id
from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import Moment
from featurememory.models import Annotation
from featurememory.observability.annotations import remove_annotation, write_annotation

router = Router()
KINDS: dict[str, Any] = {"enum": list(Annotation.Kind.values)}
Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class AnnotationView(Schema):
    id: int
    kind: str = Field(json_schema_extra=KINDS)
    text: str
    at: datetime
    until: datetime | None
    operation_type: str = Field(description="Empty: of everything.")
    model: str
    actor: str
    created_at: datetime


class AnnotationPage(Schema):
    items: list[AnnotationView]
    next_cursor: str | None


class AnnotationSearch(Schema):
    since: Moment | None = Field(None, description="Begun at or after.")
    until: Moment | None = Field(None, description="Begun before.")
    cursor: Id | None = Field(None, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class AnnotationBody(Schema):
    text: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")
    kind: str = Field("note", json_schema_extra=KINDS)
    at: Moment | None = Field(None, description="Now where it is left out.")
    until: Moment | None = Field(None, description="Of what lasts a while.")
    operation_type: Name = Field("", description="Where it is about one operation type alone.")
    model: Name = ""
    request_id: UUID | None = Field(
        None, description="Given again with the same id it is the same annotation."
    )


class RemovalBody(Schema):
    reason: Reason
    request_id: UUID | None = None


@router.get(
    "",
    auth=ScopedKey("read"),
    response={200: AnnotationPage, **refusals(401, 403, 422)},
    summary="List annotations",
)
def list_annotations(request: HttpRequest, search: Query[AnnotationSearch]) -> dict[str, Any]:
    """The newest first, by the order in which they were written."""
    bounds = {"at__gte": search.since, "at__lt": search.until, "pk__lt": search.cursor}
    rows = Annotation.objects.filter(**{name: each for name, each in bounds.items() if each is not None})
    page = list(rows.order_by("-pk")[: search.limit + 1])
    more, page = len(page) > search.limit, page[: search.limit]
    return {"items": page, "next_cursor": str(page[-1].pk) if more else None}


@router.post(
    "", auth=ScopedKey("ingest"), response={201: AnnotationView, **refusals(400, 401, 403, 404, 422)},
    summary="Write an annotation",
)  # fmt: skip
def post_annotation(request: HttpRequest, body: AnnotationBody) -> Status[Annotation]:
    """A deploy, or anything else that may explain what the charts show."""
    return Status(201, write_annotation(**body.dict(), actor=actor_of(request), now=timezone.now()))


@router.delete(
    "/{id}", auth=ScopedKey("control"), response={204: None, **refusals(400, 401, 403, 404, 422)},
    summary="Remove an annotation",
)  # fmt: skip
def delete_annotation(request: HttpRequest, id: Path[Id], body: RemovalBody) -> Status[None]:
    """It is audited, with the reason."""
    now = timezone.now()
    remove_annotation(id, actor=actor_of(request), reason=body.reason, now=now, request_id=body.request_id)
    return Status(204, None)
