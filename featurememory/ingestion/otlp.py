"""OpenTelemetry spans as operations (OTLP traces 1.x; GenAI semantic conventions of 2026-05, older names mapped)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from featurememory.ingestion.operations import FieldError, Operation, check_operation

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
_OLDER = {
    "gen_ai.system": "gen_ai.provider.name",
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
}
_CONTENT = ("gen_ai.input.", "gen_ai.output.messages", "gen_ai.prompt", "gen_ai.completion",
            "gen_ai.system_instructions", "gen_ai.tool.call.")  # fmt: skip
_OURS = "feature_memory."
_EVALUATION = "gen_ai.evaluation.result"


@dataclass(slots=True)
class Translated:
    """What an export holds for us."""

    operations: list[Operation] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    """A sentence for each refused span, naming span, field and fault."""
    skipped: int = 0
    """Spans that are no operations: they belong to others."""


def translate(
    request: ExportTraceServiceRequest, now: datetime, max_age: timedelta, *, keep_content: bool
) -> Translated:
    """The operations among the request's spans, each judged by itself."""
    translated = Translated()
    for resource, span in _spans(request):
        attributes = _attributes(span.attributes)
        operation_type = attributes.get(f"{_OURS}operation_type") or attributes.get("gen_ai.operation.name")
        if not operation_type:
            translated.skipped += 1
            continue
        judged = _faults(span) or check_operation(
            _described(span, operation_type, attributes, resource, keep_content=keep_content), now, max_age
        )
        if isinstance(judged, Operation):
            translated.operations.append(judged)
        else:
            faults = "; ".join(f"{error.field} {error.message}" for error in judged)
            translated.rejected.append(f"span {span.name!r} ({span.span_id.hex() or 'no span_id'}): {faults}")
    return translated


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[dict[str, Any], Span]]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield resource, span


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
    span: Span,
    operation_type: Any,
    attributes: dict[str, Any],
    resource: dict[str, Any],
    *,
    keep_content: bool,
) -> dict[str, Any]:
    """The span in the words of `POST /operations`."""
    described: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE, f"{span.trace_id.hex()}:{span.span_id.hex()}")),
        "operation_type": operation_type,
        "model": attributes.get("gen_ai.request.model") or attributes.get("gen_ai.response.model") or "",
        "started_at": datetime.fromtimestamp(0, UTC)
        + timedelta(microseconds=span.start_time_unix_nano // 1_000),
        "duration_ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "outcome": _outcome(span, str(attributes.get("error.type", ""))),
        "error_type": str(attributes.get("error.type", "")),
        "error_message": span.status.message[:2_000].replace("\0", ""),
        "parameters": _parameters(attributes),
        "attributes": _kept(attributes, keep_content=keep_content),
        "score": _score(span, attributes),
        "features": attributes.get(f"{_OURS}features"),
        "space": attributes.get(f"{_OURS}space", ""),
        "recommendation": attributes.get(f"{_OURS}recommendation"),
        "breaker": attributes.get(f"{_OURS}breaker", ""),
        "instance": resource.get("service.instance.id") or resource.get("service.name") or "",
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
    }
    return described


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
    prefix = f"{_OURS}parameter."
    return standard | {
        name.removeprefix(prefix): each for name, each in attributes.items() if name.startswith(prefix)
    }


def _score(span: Span, attributes: dict[str, Any]) -> Any:
    if f"{_OURS}score" in attributes:
        return attributes[f"{_OURS}score"]
    for event in span.events:
        if event.name == _EVALUATION:
            return _attributes(event.attributes).get("gen_ai.evaluation.score.value")
    return None


def _kept(attributes: dict[str, Any], *, keep_content: bool) -> dict[str, Any]:
    """What is kept beside the fields: no message contents unless switched on, nothing that stands elsewhere."""
    return {
        _OLDER.get(name, name): each
        for name, each in attributes.items()
        if not name.startswith(_OURS)
        and not name.startswith("gen_ai.request.")
        and (keep_content or not name.startswith(_CONTENT))
    }


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case None:
            return None
        case kind:
            return getattr(value, kind)
