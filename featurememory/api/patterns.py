"""Patterns: what an input is like, what has been seen so far, and an operator's hand on it.

What needs numpy is imported where it is used: a server whose callers send no features does without.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of, allow
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import MAX_DIMENSIONS, Name, StorableText
from featurememory.models import FeatureSpace, Pattern

if TYPE_CHECKING:
    from featurememory.core.recognizer import Recognition

router = Router()
_SHOWN = 5
spaces_router = Router()


class SpaceView(Schema):
    """A feature space; `calibrated` once its first vectors have told what is similar in it."""

    name: str
    dimension: int
    calibrated: bool
    seen: int = Field(description="Vectors taken in; until it is calibrated those that wait for it.")
    refused: int = Field(
        description="Vectors of operations that were of another dimension, or zero throughout."
    )
    patterns: int
    created_at: datetime


class PatternView(Schema):
    """A recurring kind of input."""

    id: int
    space: str
    label: str
    pinned: bool
    count: int = Field(description="Vectors that it has seen.")
    spread: float = Field(description="Mean of 1 - cosine between its vectors and its centroid.")
    provisional: bool = Field(description="Seen too seldom to be more than a guess.")
    first_seen: datetime
    last_seen: datetime

    @staticmethod
    def resolve_space(pattern: Pattern) -> str:
        return pattern.space.name


class PatternPage(Schema):
    items: list[PatternView]
    next_cursor: str | None


class Spaces(Schema):
    items: list[SpaceView]
    next_cursor: None = None


class RecognizeBody(Schema):
    space: Name = Field(description="The kind of vector: name it after the model that makes it.")
    features: list[float] = Field(min_length=1, max_length=MAX_DIMENSIONS)
    learn: bool = Field(False, description="Also learn from it; needs a key with the scope `ingest`.")


class ConfirmationBody(Schema):
    """Whether the pattern that an input is recognised as is the right one."""

    space: Name
    features: list[float] = Field(min_length=1, max_length=MAX_DIMENSIONS)
    correct: bool


class ConfirmationView(Schema):
    pattern: int
    confirmations: int = Field(
        description="Of the space, so far; with fifty its confidence is fitted to them."
    )
    confidence: float = Field(description="That the match has now.")


class Near(Schema):
    pattern: int
    label: str
    similarity: float = Field(description="The cosine in the calibrated space.")


class RecognitionView(Schema):
    verdict: Literal["match", "ambiguous", "novel", "calibrating"] = Field(
        description="`ambiguous`: a match, but the second is nearly as similar. `calibrating`: the space's first "
        "vectors are still being collected."
    )
    pattern: int | None = Field(
        description="The one it belongs to; with `learn` also the new one that a novel vector makes."
    )
    novel: bool
    similarity: float | None = Field(description="With the most similar pattern; null where there is none.")
    confidence: float = Field(description="Of the matches given 0.8, eight in ten are right.")
    nearest: list[Near]


class PatternSearch(Schema):
    space: StorableText | None = None
    pinned: bool | None = None
    cursor: int | None = Field(None, description="The last id of the page before.", ge=0, le=2**62)
    limit: int = Field(100, ge=1, le=500)


class PatternChange(Schema):
    """What is left out stays as it is."""

    label: str | None = Field(None, max_length=200)
    pinned: bool | None = Field(None, description="A pinned pattern never makes room for others.")
    reason: Reason


class MergeBody(Schema):
    into: int = Field(description="The pattern that stays.", ge=0, le=2**62)
    reason: Reason


class RemovalReason(Schema):
    reason: Reason


@spaces_router.get(
    "", auth=ScopedKey("read"), response={200: Spaces, **refusals(401, 403)}, summary="List feature spaces"
)
def list_spaces(request: HttpRequest) -> dict[str, Any]:
    """By name."""
    rows = FeatureSpace.objects.defer("calibration").annotate(found=Count("patterns")).order_by("name")
    return {
        "items": [
            SpaceView(
                name=row.name,
                dimension=row.dimension,
                calibrated=row.version > 0,
                seen=row.seen,
                refused=row.refused,
                patterns=row.found,
                created_at=row.created_at,
            )
            for row in rows
        ]
    }


@router.post(
    "/recognize", auth=ScopedKey("read"),
    response={200: RecognitionView, **refusals(400, 401, 403, 404, 409, 422)}, summary="What is this input like?",
)  # fmt: skip
def recognize(request: HttpRequest, body: RecognizeBody) -> RecognitionView:
    """Nothing changes, unless it is to `learn`; operations that come with features are learned anyway."""
    from featurememory.integration.spaces import spaces

    if not body.learn:
        return _view(spaces().recognise(body.space, body.features))
    allow(request.auth, "ingest")  # type: ignore[attr-defined]
    learned = spaces().learn_one(body.space, body.features, timezone.now())
    return _view(learned.found, learned.pattern)


@router.post(
    "/confirmations", auth=ScopedKey("control"),
    response={200: ConfirmationView, **refusals(400, 401, 403, 404, 422)}, summary="Was a match right?",
)  # fmt: skip
def confirm(request: HttpRequest, body: ConfirmationBody) -> ConfirmationView:
    """What operators or outcomes say of matches makes the space's confidence mean what it says."""
    from featurememory.integration.spaces import spaces

    done = spaces().confirm(
        body.space, body.features, correct=body.correct, actor=actor_of(request), now=timezone.now()
    )
    return ConfirmationView(**done._asdict())


def _view(found: Recognition | None, learned: int | None = None) -> RecognitionView:
    if found is None:
        return RecognitionView(
            verdict="calibrating", pattern=None, novel=False, similarity=None, confidence=0.0, nearest=[]
        )
    ids = [near.id for near in found.nearest[:_SHOWN]]
    labels = dict(Pattern.objects.filter(pk__in=ids).exclude(label="").values_list("pk", "label"))
    return RecognitionView(
        verdict=found.verdict,
        pattern=found.pattern if learned is None else learned,
        novel=found.verdict == "novel",
        similarity=found.similarity if found.nearest else None,
        confidence=found.confidence,
        nearest=[
            Near(pattern=near.id, label=labels.get(near.id, ""), similarity=near.similarity)
            for near in found.nearest[:_SHOWN]
        ],
    )


@router.get(
    "", auth=ScopedKey("read"), response={200: PatternPage, **refusals(401, 403, 422)}, summary="List patterns"
)  # fmt: skip
def list_patterns(request: HttpRequest, search: Query[PatternSearch]) -> dict[str, Any]:
    """The newest first."""
    rows = Pattern.objects.select_related("space").defer("space__calibration", "centroid").order_by("-id")
    if search.space is not None:
        rows = rows.filter(space__name=search.space)
    if search.pinned is not None:
        rows = rows.filter(pinned=search.pinned)
    if search.cursor is not None:
        rows = rows.filter(pk__lt=search.cursor)
    found = list(rows[: search.limit + 1])
    page = found[: search.limit]
    return {"items": page, "next_cursor": str(page[-1].pk) if len(found) > search.limit else None}


@router.get(
    "/{int:pattern_id}", auth=ScopedKey("read"), response={200: PatternView, **refusals(401, 403, 404)},
    summary="One pattern",
)  # fmt: skip
def get_pattern(request: HttpRequest, pattern_id: int) -> Pattern:
    from featurememory.core.storage import find_pattern

    return find_pattern(pattern_id)


@router.patch(
    "/{int:pattern_id}", auth=ScopedKey("control"),
    response={200: PatternView, **refusals(400, 401, 403, 404, 422)}, summary="Label or pin a pattern",
)  # fmt: skip
def patch_pattern(request: HttpRequest, pattern_id: int, body: PatternChange) -> Pattern:
    from featurememory.core.operator_actions import change_pattern

    return change_pattern(
        pattern_id, actor=actor_of(request), reason=body.reason, label=body.label, pinned=body.pinned
    )


@router.post(
    "/{int:pattern_id}/merge", auth=ScopedKey("control"),
    response={200: PatternView, **refusals(400, 401, 403, 404, 422)}, summary="Merge a pattern into another",
)  # fmt: skip
def merge(request: HttpRequest, pattern_id: int, body: MergeBody) -> Pattern:
    """What it has seen is added to the other, and it goes. Operations keep the pattern they were given."""
    from featurememory.integration.pattern_actions import merge_pattern

    return merge_pattern(pattern_id, body.into, actor=actor_of(request), reason=body.reason)


@router.delete(
    "/{int:pattern_id}", auth=ScopedKey("control"), response={204: None, **refusals(401, 403, 404, 422)},
    summary="Forget a pattern",
)  # fmt: skip
def delete_pattern(request: HttpRequest, pattern_id: int, why: Query[RemovalReason]) -> Status[None]:
    """Inputs like it make a new one."""
    from featurememory.integration.pattern_actions import remove_pattern

    remove_pattern(pattern_id, actor=actor_of(request), reason=why.reason)
    return Status(204, None)
