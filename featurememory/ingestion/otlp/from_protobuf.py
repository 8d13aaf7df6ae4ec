"""Exports in protobuf."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

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
from featurememory.ingestion.otlp.wire import BrokenFraming, Field, fields

LARGE_SPAN, LARGE_PART = 2**21, 2**16
"""Bytes: of a larger span only the parts are decoded that are not large. Empty messages of two bytes each take
thirty times as much once they are decoded."""
_MAX_PARTS = 10_000
_FIELDS_PER_SPAN = 7
"""Each span may come in a scope and a resource of its own, with all that belongs to them."""
_ATTRIBUTES = Span.DESCRIPTOR.fields_by_name["attributes"].number


def protobuf_export(body: bytes) -> Export:
    """The spans of an ExportTraceServiceRequest; MalformedExport or TooManySpans."""
    try:
        return Export(list(_spans(memoryview(body))), _read)
    except (BrokenFraming, DecodeError) as wrong:
        raise MalformedExport(f"The body is not an ExportTraceServiceRequest in protobuf: {wrong}.") from None


def _spans(body: memoryview) -> Iterator[tuple[str, Encoded]]:
    met, found = count(1), count(1)

    def parts(message: memoryview, number: int) -> Iterator[memoryview]:
        for field in fields(message):
            if next(met) > MAX_SPANS * _FIELDS_PER_SPAN:
                raise TooManySpans
            if field.number == number:
                yield field.contents

    for resource_spans in parts(body, 1):
        instance = ""
        for resource in parts(resource_spans, 1):
            if len(resource) <= LARGE_PART:
                instance = instance_of(Resource.FromString(bytes(resource)))
        for scope_spans in parts(resource_spans, 2):
            for span in parts(scope_spans, 2):
                if next(found) > MAX_SPANS:
                    raise TooManySpans
                yield instance, span


def _read(data: Encoded) -> ReadSpan:
    try:
        if len(data) <= LARGE_SPAN:
            return ReadSpan(Span.FromString(bytes(data)), [])
        parts = list(islice(fields(memoryview(data)), _MAX_PARTS + 1))
        rest = b"".join(part.whole for part in parts if len(part.whole) <= LARGE_PART)
        if len(rest) > LARGE_SPAN or len(parts) > _MAX_PARTS:
            raise UnreadableSpan(f"has more than {_MAX_PARTS:,} parts, or {LARGE_SPAN:,} bytes in small ones")
        omitted = [_name(part) for part in parts if len(part.whole) > LARGE_PART]
        return ReadSpan(Span.FromString(rest), omitted)
    except (BrokenFraming, DecodeError) as wrong:
        raise UnreadableSpan(f"cannot be read: {wrong}") from None


def _name(part: Field) -> str:
    """An attribute's key; the field's name for another part of a span."""
    if part.number != _ATTRIBUTES:
        field = Span.DESCRIPTOR.fields_by_number.get(part.number)
        return field.name if field else f"field {part.number}"
    key = next((field.contents for field in islice(fields(part.contents), 2) if field.number == 1), b"")
    return bytes(key[:400]).decode(errors="replace")
