"""`POST /v1/traces`: spans in, by OTLP/HTTP (OpenTelemetry protocol specification 1.x), protobuf or JSON.

The answer comes in the request's encoding. Refused spans are counted in `partial_success`, and the rest is stored;
only what a client may send again is answered with an error it will retry.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from featurememory.api.intake import Answer, Pending, RawRequest
from featurememory.api.problems import ProblemError
from featurememory.ingestion.operations import Decoded
from featurememory.ingestion.otlp import translate
from featurememory.ingestion.receive import Received, intake
from featurememory.ingestion.transaction import Written

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 422: 3, 503: 14}
_UNKNOWN = 2
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _PendingTraces:
    received: Received
    rejected: list[str]
    is_json: bool

    @property
    def future(self) -> Future[Written] | None:
        return self.received.future

    def finish(self, written: Written | None) -> Answer:
        response = ExportTraceServiceResponse()
        if self.rejected:
            response.partial_success.rejected_spans = len(self.rejected)
            more = len(self.rejected) - _SHOWN
            shown = [*self.rejected[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
            response.partial_success.error_message = "; ".join(shown)
        if self.is_json:
            return Answer(200, {"Content-Type": JSON}, orjson.dumps(MessageToDict(response)))
        return Answer(200, {"Content-Type": PROTOBUF}, response.SerializeToString())


class TracesEndpoint:
    """Counts in `skipped` the spans that were no operations, since the process began."""

    def __init__(self) -> None:
        self.skipped = 0

    def begin(self, request: RawRequest) -> Pending:
        is_json = _is_json(request.content_type)
        body = request.plain_body()
        export, unreadable = _read_json(body) if is_json else (_read_protobuf(body), [])
        found = translate(
            export,
            datetime.now(UTC),
            intake().max_age,
            keep_content=settings.CONFIGURATION.otlp_content,
        )
        self.skipped += found.skipped
        received = intake().hand_in(Decoded(found.operations, [], None), len(body))
        return _PendingTraces(received, unreadable + found.rejected, is_json)

    def refuse(self, problem: ProblemError, request: RawRequest) -> Answer:
        headers = problem.headers()
        code = _GRPC_CODES.get(problem.status, _UNKNOWN)
        message = problem.detail
        if problem.errors:
            message += " " + "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
        if request.content_type.partition(";")[0].strip().lower() == PROTOBUF:
            # google.rpc.Status is {int32 code = 1; string message = 2}: on the wire the same as this message.
            status = ExportTracePartialSuccess(rejected_spans=code, error_message=message)
            return Answer(problem.status, headers | {"Content-Type": PROTOBUF}, status.SerializeToString())
        body = orjson.dumps({"code": code, "message": message})
        return Answer(problem.status, headers | {"Content-Type": JSON}, body)


TRACES = TracesEndpoint()


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (PROTOBUF, JSON):
        return kind == JSON
    detail = f"Send spans as {PROTOBUF} or {JSON}, not {kind[:50]!r}."
    raise ProblemError(415, "media_type", "The encoding is not understood", detail)


def _read_protobuf(body: bytes) -> ExportTraceServiceRequest:
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as wrong:
        detail = f"The body is not an ExportTraceServiceRequest in protobuf: {wrong}."
        raise ProblemError(400, "malformed", "The spans cannot be read", detail) from None


def _read_json(body: bytes) -> tuple[ExportTraceServiceRequest, list[str]]:
    """The request, span by span, and a sentence for each span that cannot be read."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise ProblemError(
            400, "malformed", "The spans cannot be read", f"The body is not JSON: {wrong}."
        ) from None
    export, unreadable = ExportTraceServiceRequest(), []
    for resource_spans in _list(value, "resourceSpans"):
        target = export.resource_spans.add()
        resource = resource_spans.get("resource")
        if isinstance(resource, dict):
            _parse({"resource": resource}, target, "resourceSpans.resource")
        spans = target.scope_spans.add().spans
        for position, span in enumerate(_spans(resource_spans)):
            try:
                spans.append(_span(span))
            except (ParseError, ValueError, TypeError, AttributeError) as wrong:
                name = span.get("name") if isinstance(span, dict) else None
                unreadable.append(f"span {position} ({name!r}): {wrong}")
    return export, unreadable


def _spans(resource_spans: dict[str, Any]) -> Iterator[Any]:
    for scope_spans in _list(resource_spans, "scopeSpans"):
        yield from scope_spans.get("spans") or ()


def _span(value: Any) -> Span:
    """One span; OTLP's JSON has ids in hex, where protobuf's own mapping wants base64."""
    if not isinstance(value, dict):
        raise ParseError("is not an object")
    known = {name: each for name, each in value.items() if name not in ("links", "parentSpanId")}
    for name in ("traceId", "spanId"):
        if name in known:
            try:
                known[name] = b64encode(bytes.fromhex(known[name])).decode()
            except (ValueError, TypeError):
                raise ParseError(f"{name} must be hexadecimal") from None
    span = Span()
    ParseDict(known, span, ignore_unknown_fields=True)
    return span


def _parse(value: dict[str, Any], target: ResourceSpans, field: str) -> None:
    try:
        ParseDict(value, target, ignore_unknown_fields=True)
    except ParseError as wrong:
        raise ProblemError(400, "malformed", "The spans cannot be read", f"{field}: {wrong}") from None


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    """The list of objects under `name`; none where it is absent."""
    items = value.get(name) or [] if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ProblemError(400, "malformed", "The spans cannot be read", f"{name} must be a list of objects.")
    return items
