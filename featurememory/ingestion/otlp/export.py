"""An export's spans, told apart without being decoded: decoded they take many times the memory.

Each is decoded when its turn comes, so that one that cannot be read is lost alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

MAX_SPANS = 10_000

Encoded = bytes | memoryview


class MalformedExport(Exception):
    """The export as a whole cannot be read."""


class TooManySpans(Exception):
    """More than are taken at a time; nothing of the export is stored."""

    def __init__(self) -> None:
        super().__init__(f"The export holds more than {MAX_SPANS:,} spans; send smaller ones.")


class UnreadableSpan(Exception):
    """One span cannot be read."""


@dataclass(frozen=True, slots=True)
class ReadSpan:
    span: Span
    omitted: list[str]
    """What was too large to be read."""


@dataclass(frozen=True, slots=True)
class Export:
    """Spans as they came, each behind the instance that sent it."""

    spans: list[tuple[str, Encoded]]
    read: Callable[[Encoded], ReadSpan]
    """Decodes one of them, or raises UnreadableSpan."""


def instance_of(resource: Resource) -> str:
    """Who sent the spans: service.instance.id, else service.name."""
    named = {each.key: each.value.string_value for each in resource.attributes}
    return named.get("service.instance.id") or named.get("service.name") or ""
