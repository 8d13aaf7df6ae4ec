"""OpenTelemetry spans as operations (OTLP traces 1.x; GenAI semantic conventions of 2026-05, older names mapped).

A client must not send a refused span again: what can be kept of a span is kept, and what had to be left out is named
in an attribute. Refused is only what cannot be told apart as an operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from featurememory.ingestion.operations import (
    FieldError,
    Operation,
    check_operation,
    judged,
    printable,
    said_of,
    subject_of,
)
from featurememory.ingestion.otlp.attributes import OURS, fitted, kept, marker, values_of
from featurememory.ingestion.otlp.export import Export, ReadSpan, UnreadableSpan
from featurememory.validation.results import Judged, Subject

NAMESPACE = UUID("5b3c9d2e-2f51-5c3e-9a36-0d6f4c0b8a71")
"""An operation's id is the UUIDv5 of "trace_id:span_id" here: a span that is exported again is a duplicate."""

_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "choice.count",
)
_EVALUATION = "gen_ai.evaluation.result"
_SCORE = "gen_ai.evaluation.score.value"
_LINE_LENGTH = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_SHOWN = 5


@dataclass(slots=True)
class Tally:
    """What an export held that did not become an operation."""

    skipped: int = 0
    """Spans that are no operations: they belong to others."""
    rejected: int = 0
    faults: list[str] = field(default_factory=list)
    """A sentence for each of the first that were rejected, naming span, field and fault."""

    def reject(self, span: str, fault: str) -> None:
        self.rejected += 1
        if len(self.faults) < _SHOWN:
            self.faults.append(f"span {span}: {fault}")


def operations_in(
    export: Export, tally: Tally, now: datetime, max_age: timedelta, *, keep_content: bool
) -> Iterator[Operation | Judged]:
    """The operations among the export's spans, each judged by itself, and why others were refused; `tally` says what
    became of all that are no operations."""
    for position, (instance, encoded) in enumerate(export.spans):
        try:
            read = export.read(encoded)
        except UnreadableSpan as wrong:
            tally.reject(str(position), str(wrong))
            error = FieldError(field=f"span {position}", code="unreadable", message=str(wrong))
            yield judged([error], instance, Subject())
            continue
        attributes = values_of(read.span.attributes)
        if not _operation_type(attributes):
            tally.skipped += 1
            continue
        described = _described(read, attributes, instance, keep_content=keep_content)
        found = _faults(read.span) or _judged(described, read.omitted, now, max_age)
        if isinstance(found, Operation):
            yield found
        else:
            named = f"{printable(read.span.name)!r} ({read.span.span_id.hex() or 'no span_id'})"
            tally.reject(named, "; ".join(f"{error.field} {error.message}" for error in found))
            yield judged(found, said_of(described, "instance"), subject_of(described))


def _operation_type(attributes: dict[str, Any]) -> Any:
    return attributes.get(f"{OURS}operation_type") or attributes.get("gen_ai.operation.name")


def _judged(
    described: dict[str, Any], omitted: list[str], now: datetime, max_age: timedelta
) -> Operation | list[FieldError]:
    """The operation; objects that cannot be stored whole are stored as far as they can."""
    described["attributes"] |= marker(omitted)
    judged = check_operation(described, now, max_age)
    if isinstance(judged, Operation) or not {"attributes", "parameters"} & {each.field for each in judged}:
        return judged
    for part in ("parameters", "attributes"):
        described[part], left_out = fitted(described[part])
        omitted += left_out
    described["attributes"] |= marker(omitted)
    return check_operation(described, now, max_age)


def _faults(span: Span) -> list[FieldError]:
    """What is wrong with the span itself, before it is read as an operation."""
    faults = []
    if len(span.trace_id) != 16 or not any(span.trace_id):
        faults.append(FieldError(field="trace_id", code="trace_id", message="must be 16 bytes, not all zero"))
    if len(span.span_id) != 8 or not any(span.span_id):
        faults.append(FieldError(field="span_id", code="span_id", message="must be 8 bytes, not all zero"))
    if not span.start_time_unix_nano or span.end_time_unix_nano < span.start_time_unix_nano:
        message = "must be there and not before start_time_unix_nano"
        faults.append(FieldError(field="end_time_unix_nano", code="time_order", message=message))
    return faults


def _described(
    read: ReadSpan, attributes: dict[str, Any], instance: str, *, keep_content: bool
) -> dict[str, Any]:
    """The span in the words of `POST /operations`."""
    span, omitted = read.span, read.omitted
    error_type = _line(str(attributes.get("error.type", "")), "error.type", omitted)
    described: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE, f"{span.trace_id.hex()}:{span.span_id.hex()}")),
        "operation_type": _operation_type(attributes),
        "model": attributes.get("gen_ai.request.model") or attributes.get("gen_ai.response.model") or "",
        "started_at": datetime.fromtimestamp(0, UTC)
        + timedelta(microseconds=span.start_time_unix_nano // 1_000),
        "duration_ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "outcome": _outcome(span, error_type),
        "error_type": error_type,
        "error_message": span.status.message[:2_000].replace("\0", ""),
        "parameters": _parameters(attributes),
        "attributes": kept(attributes, keep_content=keep_content),
        "score": _score(span, attributes, omitted),
        "features": attributes.get(f"{OURS}features"),
        "space": attributes.get(f"{OURS}space", ""),
        "recommendation": attributes.get(f"{OURS}recommendation"),
        "breaker": attributes.get(f"{OURS}breaker", ""),
        "instance": _line(instance, "service.instance.id", omitted),
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
    }
    return described


def _line(text: str, name: str, omitted: list[str]) -> str:
    """`text` as one line that is short enough to be kept."""
    line = _CONTROL.sub(" ", text).strip()
    if len(line) > _LINE_LENGTH:
        omitted.append(f"{name} (shortened)")
    return line[:_LINE_LENGTH].strip()


def _outcome(span: Span, error_type: str) -> str:
    word = error_type.lower()
    if word in ("408", "504") or "timeout" in word or "timed_out" in word or "deadline" in word:
        return "timeout"
    if "cancel" in word:
        return "cancelled"
    return "error" if error_type or span.status.code == Status.STATUS_CODE_ERROR else "success"


def _parameters(attributes: dict[str, Any]) -> dict[str, Any]:
    standard = {
        name: attributes[f"gen_ai.request.{name}"]
        for name in _PARAMETERS
        if f"gen_ai.request.{name}" in attributes
    }
    prefix = f"{OURS}parameter."
    return standard | {
        name.removeprefix(prefix): each for name, each in attributes.items() if name.startswith(prefix)
    }


def _score(span: Span, attributes: dict[str, Any], omitted: list[str]) -> Any:
    """Our own score, else that of an evaluation if it is on our scale from 0 to 1; theirs may be on any."""
    if f"{OURS}score" in attributes:
        return attributes[f"{OURS}score"]
    for event in span.events:
        if event.name == _EVALUATION:
            score = values_of(event.attributes).get(_SCORE)
            if score is None or (isinstance(score, int | float) and 0 <= score <= 1):
                return score
            omitted.append(_SCORE)
            return None
    return None
