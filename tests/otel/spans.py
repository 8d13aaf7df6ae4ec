"""Spans as exporters send them, with only what matters to a test spelled out, and the endpoint that takes them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from featurememory.api.intake import django_view
from featurememory.api.otlp import JSON, PROTOBUF, TRACES
from featurememory.ingestion.otlp.from_json import json_export

_VALUES = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}


def value_json(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_json(each) for each in value]}}
    return {_VALUES[type(value)]: value}


def attributes_json(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value_json(each)} for name, each in attributes.items()]


def span_json(attributes: Mapping[str, Any] = {}, **members: Any) -> dict[str, Any]:
    """A span of a chat with the model "small" that took a second."""
    now = int(datetime.now(UTC).timestamp() * 1e9)
    standard = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small"}
    return {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": "chat small",
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
        "attributes": attributes_json(standard | dict(attributes)),
    } | members


def export_json(*spans: Any, instance: str = "tests") -> dict[str, Any]:
    resource = {"attributes": attributes_json({"service.instance.id": instance})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def export_protobuf(*spans: dict[str, Any], instance: str = "tests") -> bytes:
    """The same in protobuf."""
    export = json_export(json.dumps(export_json(*spans)).encode())
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    attribute = resource_spans.resource.attributes.add(key="service.instance.id")
    attribute.value.string_value = instance
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.spans.extend(export.read(encoded).span for _, encoded in export.spans)
    return request.SerializeToString()


def send(key: str, body: bytes | dict[str, Any], **headers: str) -> HttpResponse:
    """The endpoint's answer; JSON for a dict, protobuf for bytes."""
    is_json = isinstance(body, dict)
    request = RequestFactory().post(
        "/v1/traces",
        json.dumps(body).encode() if isinstance(body, dict) else body,
        JSON if is_json else PROTOBUF,
        headers={"Authorization": f"Bearer {key}"} | headers,
    )
    return django_view(TRACES)(request)


def length_prefixed(number: int, contents: bytes) -> bytes:
    """A field of a message, as protobuf has it."""
    size, length = b"", len(contents)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + contents
