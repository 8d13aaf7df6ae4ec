"""What callers may report: the shape of an operation, each limit beside its field.

Validation runs straight from the bytes (pydantic's JSON parser); only a batch with something wrong in it is
taken apart, so that one bad operation is refused by name and the others go on.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, from_json

from featurememory.validation.results import Finding, Judged, Subject, ValidationResult, summary

MAX_OPERATIONS = 1_000
MAX_OBJECT_BYTES = 16_384
MAX_DIMENSIONS = 16_384
MAX_AHEAD = timedelta(minutes=5)
MAX_DURATION_MS = 7 * 24 * 3_600_000.0
_SHOWN_ERRORS = 10
_FLOAT32_MAX = 3.4028234663852886e38

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
OptionalName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]


def _in_utc(moment: datetime) -> datetime:
    """The same moment in UTC: datetimes with one and the same tzinfo compare and subtract three times as fast."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "lies outside the years 1 to 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""Of any offset; held in UTC."""
StorableText = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
"""What any of the databases can be asked for: PostgreSQL's texts have no U+0000."""
Permit = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,18}(\.[0-9]{1,9})?)?$")]
"""As circuit_breaker/permits.py writes it."""


class JsonText(str):
    """A JSON object as the text that is stored; callers send it as an object."""

    __slots__ = ()

    @classmethod
    def of(cls, value: dict[str, Any]) -> Self:
        try:
            data = orjson.dumps(value)
        except (TypeError, ValueError) as wrong:
            raise PydanticCustomError(
                "json_object", "cannot be kept as JSON: {why}", {"why": str(wrong)}
            ) from None
        if len(data) > MAX_OBJECT_BYTES:
            raise PydanticCustomError(
                "object_too_large",
                "takes {size} bytes as JSON; at most {limit} are kept",
                {"size": len(data), "limit": MAX_OBJECT_BYTES},
            )
        if b"\\u0000" in data and any(isinstance(leaf, str) and "\0" in leaf for leaf in _leaves(value)):
            raise PydanticCustomError("nul_character", "holds the character U+0000; leave it out")
        if b"null" in data and any(isinstance(leaf, float) and not isfinite(leaf) for leaf in _leaves(value)):
            raise PydanticCustomError("finite_number", "holds NaN or an infinity, which JSON cannot keep")
        return cls(data.decode())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.of, core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        )

    @classmethod
    def empty(cls) -> Self:
        return cls("{}")


class Vector(bytes):
    """A feature vector as float32, little endian; callers send a list of numbers."""

    __slots__ = ()

    @classmethod
    def of(cls, values: list[float]) -> Self:
        if max(values) > _FLOAT32_MAX or min(values) < -_FLOAT32_MAX:
            raise PydanticCustomError(
                "vector_range", "holds a number that does not fit 32-bit floating point"
            )
        return cls(array("f", values).tobytes())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.float_schema(allow_inf_nan=False)
        numbers = core_schema.list_schema(number, min_length=1, max_length=MAX_DIMENSIONS)
        return core_schema.no_info_after_validator_function(cls.of, numbers)


class Choice(BaseModel):
    """A recommendation that the caller's own process made from a belief it was given (`POST /recommendations`, with
    `belief`)."""

    model_config = ConfigDict(extra="forbid")

    belief: int = Field(ge=1, le=2**62)
    seed: int = Field(ge=0, le=2**62)
    arm: int = Field(ge=1, le=2**62)
    baseline: int = Field(ge=1, le=2**62)
    propensity: float = Field(gt=0, le=1)
    baseline_propensity: float = Field(ge=0, le=1)
    source: Literal["baseline", "learned", "promoted", "explored"]


class Operation(BaseModel):
    """One guarded call, as its caller reports it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())

    id: UUID = Field(description="Made by the caller; best a UUIDv7. The same id is stored once.")
    operation_type: Name
    model: OptionalName = ""
    started_at: Moment = Field(description="With its offset from UTC.")
    duration_ms: float = Field(ge=0, le=MAX_DURATION_MS)
    outcome: Literal["success", "error", "timeout", "cancelled", "rejected"]
    error_type: OptionalName = ""
    error_message: Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")] = ""
    parameters: JsonText = Field(default_factory=JsonText.empty)
    attributes: JsonText = Field(default_factory=JsonText.empty)
    score: float | None = Field(default=None, ge=0, le=1)
    features: Vector | None = None
    space: OptionalName = ""
    recommendation: UUID | None = Field(default=None, description="Whose parameters it was given.")
    choice: Choice | None = Field(
        default=None, description="How its recommendation came to, where the caller made it by itself."
    )
    instance: OptionalName = ""
    trace_id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")] = ""
    span_id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16})?$")] = ""
    breaker: OptionalName = Field(
        default="", description="Only where it is not that of (operation_type, model)."
    )
    permit: Permit = Field(
        default="", description="What the breaker gave the call to go with (`POST /breakers/{name}/permits`)."
    )
    breaker_result: Literal["success", "failure", "ignored"] | None = Field(
        default=None, description="What it means to its breaker, where that is not what the outcome says."
    )


class Sender(BaseModel):
    """Who sends, and how many operations it has had to drop since it began (a running total)."""

    model_config = ConfigDict(extra="forbid")

    instance: Name
    sdk: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00]*$")] = ""
    dropped: int = Field(default=0, ge=0, le=2**62)
    breaker: dict[str, Any] = Field(
        default_factory=dict,
        description="How its breakers are configured; the server's own settings come above.",
    )


class OperationBatch(BaseModel):
    """The body of `POST /operations`."""

    model_config = ConfigDict(extra="forbid")

    operations: Annotated[list[Operation], Field(max_length=MAX_OPERATIONS)]
    source: Sender | None = None


class FieldError(BaseModel):
    """What is wrong with one field, and what would be right."""

    field: str
    code: str
    message: str


class SeenError(FieldError):
    """With the offending value in brief: it is kept, not sent back."""

    value: str = ""


class Rejection(BaseModel):
    """One refused operation of a batch."""

    index: int
    id: str | None
    errors: list[FieldError]


class Refused(Rejection):
    """With what it says of itself: that is kept, not sent back."""

    instance: str = ""
    subject: Subject = Subject()


def as_finding(error: FieldError) -> Finding:
    """As it is kept."""
    value = error.value if isinstance(error, SeenError) else ""
    return Finding(error.code, error.field, error.message, "error", value)


def judged(
    errors: Sequence[FieldError], source: str, subject: Subject, validator: str = "operation"
) -> Judged:
    """A refusal as it is kept; `source` is who sent what was refused."""
    found = ValidationResult.of(map(as_finding, errors), {"checked": "what is taken in"})
    return Judged(validator, source, subject, found)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch taken apart: what may be stored, and what was refused."""

    operations: list[Operation]
    rejected: list[Refused]
    sender: Sender | None


class MalformedBatch(Exception):
    """The body as a whole cannot be read; `errors` name the fields."""

    def __init__(self, message: str, errors: list[FieldError], *, readable: bool) -> None:
        super().__init__(message)
        self.errors = errors
        self.readable = readable


_BATCH = TypeAdapter(OperationBatch)
_OPERATION = TypeAdapter(Operation)
_SENDER = TypeAdapter(Sender)


def decode_batch(body: bytes, now: datetime, max_age: timedelta) -> Decoded:
    """The operations in `body`, each judged by itself; MalformedBatch when there is no telling them apart."""
    if b"NaN" not in body and b"Infinity" not in body:
        try:
            batch = _BATCH.validate_json(body)
        except ValidationError:
            pass
        else:
            return judge_times(batch.operations, batch.source, now, max_age)
    return _decode_one_by_one(body, now, max_age)


def judge_times(
    operations: list[Operation], sender: Sender | None, now: datetime, max_age: timedelta
) -> Decoded:
    """Refuses operations from the future or from before what is kept; the others pass."""
    latest, earliest = now + MAX_AHEAD, now - max_age
    if all(earliest <= operation.started_at <= latest for operation in operations):
        return Decoded(operations, [], sender)
    decoded = Decoded([], [], sender)
    for index, operation in enumerate(operations):
        error = _time_error(operation.started_at, now, max_age)
        if error is None:
            decoded.operations.append(operation)
        else:
            decoded.rejected.append(
                Refused(
                    index=index,
                    id=str(operation.id),
                    errors=[error],
                    instance=operation.instance,
                    subject=Subject(operation.operation_type, operation.model, operation.space),
                )
            )
    return decoded


def check_operation(value: object, now: datetime, max_age: timedelta) -> Operation | list[FieldError]:
    """The operation that `value` describes, or what is wrong with it."""
    try:
        operation = _OPERATION.validate_python(value)
    except ValidationError as wrong:
        return field_errors(wrong)
    error = _time_error(operation.started_at, now, max_age)
    return operation if error is None else [error]


def field_errors(wrong: ValidationError, prefix: str = "") -> list[FieldError]:
    """Pydantic's findings in our words, at most ten."""
    errors = [
        SeenError(
            field=prefix + ".".join(printable(str(part)) for part in error["loc"]) or "operation",
            code=error["type"],
            message=FIELD_ADVICE.get(error["type"], error["msg"]),
            value="" if error["type"] == "missing" else summary(error["input"]),
        )
        for error in wrong.errors(include_url=False, include_context=False)[:_SHOWN_ERRORS]
    ]
    return list(errors)


def said_of(item: object, name: str) -> str:
    """A text that a refused operation says of itself, empty where it says none."""
    given = item.get(name) if isinstance(item, dict) else None
    return printable(given) if isinstance(given, str) else ""


def subject_of(item: object) -> Subject:
    """What a refused operation belongs to, by its own word."""
    return Subject(said_of(item, "operation_type"), said_of(item, "model"), said_of(item, "space"))


FIELD_ADVICE = {
    "extra_forbidden": "is not a known field; leave it out, or put it into attributes",
    "missing": "is required",
    "timezone_aware": "needs an offset from UTC, like 2026-01-31T12:00:00Z",
    "finite_number": "must be a finite number; NaN and infinities are not kept",
}


def _time_error(started_at: datetime, now: datetime, max_age: timedelta) -> FieldError | None:
    seen = started_at.isoformat()
    if started_at > now + MAX_AHEAD:
        message = (
            f"lies more than {MAX_AHEAD.seconds // 60} minutes ahead of the server's clock ({now:%FT%TZ})"
        )
        return SeenError(field="started_at", code="in_the_future", message=message, value=seen)
    if started_at < now - max_age:
        message = f"is older than the {max_age.days} days that are taken in (FEATUREMEMORY_MAX_AGE_DAYS)"
        return SeenError(field="started_at", code="too_old", message=message, value=seen)
    return None


def _decode_one_by_one(body: bytes, now: datetime, max_age: timedelta) -> Decoded:
    items, sender = _batch_members(body)
    decoded = Decoded([], [], sender)
    for index, item in enumerate(items):
        judged = check_operation(item, now, max_age)
        if isinstance(judged, Operation):
            decoded.operations.append(judged)
        else:
            refused = Refused(
                index=index,
                id=said_of(item, "id") or None,
                errors=judged,
                instance=said_of(item, "instance"),
                subject=subject_of(item),
            )
            decoded.rejected.append(refused)
    return decoded


def _batch_members(body: bytes) -> tuple[list[object], Sender | None]:
    value = _parsed(body)
    if not isinstance(value, dict) or not isinstance(value.get("operations"), list):
        raise _unusable("operations", "missing", 'the body must be {"operations": [...]}')
    unknown = sorted(set(value) - {"operations", "source"})
    if unknown:
        raise _unusable(
            printable(unknown[0]), "extra_forbidden", "is not a known field of a batch; leave it out"
        )
    items = value["operations"]
    if len(items) > MAX_OPERATIONS:
        message = f"holds {len(items)} operations; send at most {MAX_OPERATIONS} in one batch"
        raise _unusable("operations", "too_long", message)
    if value.get("source") is None:
        return items, None
    try:
        return items, _SENDER.validate_python(value["source"])
    except ValidationError as wrong:
        errors = field_errors(wrong, "source.")
        raise MalformedBatch("The batch's source cannot be read.", errors, readable=True) from None


def _parsed(body: bytes) -> Any:
    """The JSON in `body`.

    Pydantic's parser refuses a text as a whole for one lone surrogate or too deep a nesting. The standard
    library's reads on, so that only the operation that holds it is refused.
    """
    try:
        return from_json(body)
    except ValueError as wrong:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            error = FieldError(field="body", code="malformed_json", message=str(wrong)[:300])
            raise MalformedBatch("The body is not JSON.", [error], readable=False) from None


def printable(text: str) -> str:
    """What can be said back of a name that a caller gave: its beginning, in characters that UTF-8 has."""
    return text[:100].encode(errors="replace").decode()


def _unusable(field: str, code: str, message: str) -> MalformedBatch:
    return MalformedBatch(
        f"{field} {message}", [FieldError(field=field, code=code, message=message)], readable=True
    )


def _leaves(value: object) -> Iterator[object]:
    """The scalars in a JSON value, its objects' keys among them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
