"""Validations: run a validator, read what was found, and how often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import refusals
from featurememory.errors import ValidationError
from featurememory.ingestion.operations import Moment, OptionalName, StorableText
from featurememory.resource_management.monitor import current_usage
from featurememory.validation.manager import MAX_NAME
from featurememory.validation.records import find_records
from featurememory.validation.results import Subject
from featurememory.validation.summary import Summary, read_summary
from featurememory.validation.validating import validate

router = Router()
_A_DAY = timedelta(days=1)
_LONGEST = timedelta(days=92)


class FindingView(Schema):
    """One thing that is wrong (`error`) or odd (`warning`)."""

    code: str
    field: str
    message: str = Field(description="With what would be right.")
    severity: Literal["error", "warning"]
    value: str = Field(description="The offending value in brief; empty where there is none.")


class ValidationView(Schema):
    """A result; warnings forbid nothing."""

    is_valid: bool
    errors: list[FindingView]
    warnings: list[FindingView]
    metadata: dict[str, Any] = Field(description="What was checked, by which thresholds.")


class RecordView(ValidationView):
    """A result that was kept: each failure, up to a thousand an hour from one source, and a sample of what passed."""

    id: int
    at: datetime
    validator: str
    source: str = Field(description="The process, or the key, that the data came from.")
    operation_type: str
    model: str
    space: str
    code: str = Field(description="The first error's, by which it is counted; empty where it is valid.")


class RecordPage(Schema):
    items: list[RecordView]
    next_cursor: str | None


class ValidationBody(Schema):
    """What to validate, and what it belongs to: thresholds depend on that."""

    data: Any = Field(
        None, description="As the validator wants it; for `resource` left out: what is used by now."
    )
    operation_type: OptionalName = ""
    model: OptionalName = ""
    space: OptionalName = ""


class RecordSearch(Schema):
    """What to look for; everything given must hold."""

    validator: StorableText | None = None
    source: StorableText | None = None
    is_valid: bool | None = None
    code: StorableText | None = None
    since: Moment | None = Field(None, description="Validated at or after.")
    cursor: int | None = Field(None, ge=1, le=2**62, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class SummarySpan(Schema):
    from_: Moment | None = Field(None, alias="from", description="A day before `to` where it is left out.")
    to: Moment | None = Field(None, description="Now where it is left out.")


class CodeView(Schema):
    validator: str
    code: str
    failed: int


class SourceView(Schema):
    source: str = Field(description="`other`: all beyond 200 in an hour together.")
    passed: int
    failed: int


class SummaryView(Schema):
    """How often what passed and failed in the hours that begin within."""

    from_: datetime = Field(alias="from")
    to: datetime
    passed: int
    failed: int
    pass_rate: float | None = Field(description="null where nothing was validated.")
    by_code: list[CodeView] = Field(description="The most frequent first, at most 50.")
    by_source: list[SourceView] = Field(description="Those with failures, most failures first, at most 50.")


@router.get(
    "", auth=ScopedKey("read"), response={200: RecordPage, **refusals(401, 403, 422)}, summary="List validations"
)  # fmt: skip
def list_validations(request: HttpRequest, search: Query[RecordSearch]) -> dict[str, Any]:
    """The newest first."""
    wanted = search.dict(exclude={"cursor", "limit"})
    found = list(find_records(**wanted, before=search.cursor)[: search.limit + 1])
    page = found[: search.limit]
    return {"items": page, "next_cursor": str(page[-1].pk) if len(found) > search.limit else None}


@router.get(
    "/summary", auth=ScopedKey("read"), response={200: SummaryView, **refusals(401, 403, 422)}, by_alias=True,
    summary="Pass rate, and failures by code and source",
)  # fmt: skip
def summarize_validations(request: HttpRequest, span: Query[SummarySpan]) -> dict[str, Any]:
    """By whole hours. What passes is counted within seconds, failures at once."""
    until = span.to or timezone.now()
    since = span.from_ or max(until, datetime.min.replace(tzinfo=until.tzinfo) + _A_DAY) - _A_DAY
    if not timedelta(0) < until - since <= _LONGEST:
        raise _refused("from", "range", f"must lie before `to`, by at most {_LONGEST.days} days")
    return _view(read_summary(since, until), since, until)


@router.post(
    "/{validator_type}", auth=ScopedKey("read"),
    response={200: ValidationView, **refusals(400, 401, 403, 404, 422)}, summary="Validate",
)  # fmt: skip
def post_validation(
    request: HttpRequest, validator_type: Annotated[str, Field(max_length=MAX_NAME)], body: ValidationBody
) -> Any:
    """200 whether it is valid or not. The result is kept and counted, as that of data which came to be stored."""
    subject = Subject(body.operation_type, body.model, body.space)
    data = _data(validator_type, body)
    return validate(data, validator_type, subject, source=actor_of(request), now=timezone.now())


def _data(validator_type: str, body: ValidationBody) -> Any:
    """What is to be validated."""
    if body.data is None and validator_type == "resource":
        return current_usage(timezone.now())._asdict()
    return body.data


def _view(found: Summary, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "from": since,
        "to": until,
        "passed": found.counts.passed,
        "failed": found.counts.failed,
        "pass_rate": found.counts.pass_rate,
        "by_code": [each._asdict() for each in found.by_code],
        "by_source": [{"source": each.source, **each.counts._asdict()} for each in found.by_source],
    }


def _refused(field: str, code: str, message: str) -> ValidationError:
    return ValidationError(
        "The request has wrong values.", [{"field": field, "code": code, "message": message}]
    )
