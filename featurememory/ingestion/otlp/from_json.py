"""Exports in JSON, as JavaScript's exporter sends them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from featurememory.ingestion.operations import printable
from featurememory.ingestion.otlp.export import (
    MAX_SPANS,
    Encoded,
    Export,
    MalformedExport,
    ReadSpan,
    TooManySpans,
    UnreadableSpan,
    instance_of,
)


def json_export(body: bytes) -> Export:
    """The spans of an ExportTraceServiceRequest; MalformedExport or TooManySpans."""
    spans: list[tuple[str, Encoded]] = []
    for resource_spans in _objects(_parsed(body), "resourceSpans"):
        instance = _instance(resource_spans.get("resource"))
        for scope_spans in _objects(resource_spans, "scopeSpans"):
            found = scope_spans.get("spans") or []
            if not isinstance(found, list):
                raise MalformedExport("spans must be a list of objects.")
            if len(spans) + len(found) > MAX_SPANS:
                raise TooManySpans
            spans += [(instance, _encoded(span)) for span in found]
    return Export(spans, _read)


def _parsed(body: bytes) -> Any:
    """The body's value. The standard library reads on where orjson refuses the whole for a lone surrogate: half a
    character, as is left where JavaScript has cut a text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise MalformedExport(f"The body is not JSON: {wrong}.") from None


def _encoded(span: Any) -> bytes:
    try:
        return orjson.dumps(span)
    except TypeError:
        return json.dumps(span, ensure_ascii=False).encode(errors="replace")


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    """The list of objects under `name`; none where it is absent."""
    items = value.get(name) or [] if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedExport(f"{name} must be a list of objects.")
    return items


def _instance(resource: Any) -> str:
    if not isinstance(resource, dict):
        return ""
    try:
        return instance_of(ParseDict(resource, Resource(), ignore_unknown_fields=True))
    except ParseError as wrong:
        raise MalformedExport(f"resourceSpans.resource: {printable(str(wrong))}") from None


def _read(data: Encoded) -> ReadSpan:
    """A span; OTLP's JSON has ids in hexadecimal, where protobuf's own mapping wants base64."""
    try:
        value = orjson.loads(data)
        known = {name: each for name, each in value.items() if name not in ("links", "parentSpanId")}
        for name in {"traceId", "spanId"} & set(known):
            known[name] = _base64(name, known[name])
        return ReadSpan(ParseDict(known, Span(), ignore_unknown_fields=True), [])
    except (ParseError, ValueError, TypeError, AttributeError) as wrong:
        raise UnreadableSpan(f"cannot be read: {printable(str(wrong))}") from None


def _base64(name: str, hexadecimal: Any) -> str:
    try:
        return b64encode(bytes.fromhex(hexadecimal)).decode()
    except (ValueError, TypeError):
        raise ParseError(f"{name} must be hexadecimal") from None
