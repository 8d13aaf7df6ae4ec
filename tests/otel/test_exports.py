"""Exports are told apart span by span: one that is broken is lost alone, and large ones come to disk in parts."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from featurememory.api.intake import Answer, RawRequest, advance
from featurememory.api.otlp import JSON, PROTOBUF, TRACES
from featurememory.ingestion.operations import MAX_OPERATIONS
from featurememory.ingestion.otlp.export import MAX_SPANS, MalformedExport
from featurememory.ingestion.otlp.from_protobuf import protobuf_export
from featurememory.ingestion.room import Bodies
from featurememory.ingestion.transaction import Submission, Written
from featurememory.models import Operation
from tests.otel.spans import export_json, export_protobuf, length_prefixed, send, span_json

spans = st.builds(
    Span,
    name=st.text(max_size=20),
    trace_id=st.binary(max_size=16),
    start_time_unix_nano=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(list(Span.SpanKind.values())),
    flags=st.integers(0, 2**32 - 1),
)
scopes = st.lists(st.lists(spans, max_size=4), max_size=3)


@given(st.lists(st.tuples(st.text(max_size=10), scopes), max_size=4))
def test_what_protobuf_packs_is_told_apart_again(resources: list[tuple[str, list[list[Span]]]]) -> None:
    request = ExportTraceServiceRequest()
    for instance, found in resources:
        resource_spans = request.resource_spans.add(schema_url="https://example.com/1")
        attribute = resource_spans.resource.attributes.add(key="service.instance.id")
        attribute.value.string_value = instance
        for each in found:
            scope_spans = resource_spans.scope_spans.add(spans=each)
            scope_spans.scope.name = "library"
    export = protobuf_export(request.SerializeToString())
    expected = [(instance, span) for instance, found in resources for each in found for span in each]
    assert [(instance, export.read(encoded).span) for instance, encoded in export.spans] == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_an_export_or_said_not_to_be(body: bytes) -> None:
    with suppress(MalformedExport):
        protobuf_export(body)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cut", [1, 5])
def test_an_export_that_is_cut_is_a_400_and_nothing_of_it_is_stored(api_key: str, cut: int) -> None:
    body = export_protobuf(span_json(), span_json())
    assert send(api_key, body[:-cut]).status_code == 400
    assert not Operation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_broken_span_in_protobuf_is_lost_alone(api_key: str) -> None:
    good = ExportTraceServiceRequest.FromString(export_protobuf(span_json()))
    scope = good.resource_spans[0].scope_spans[0]
    scope.spans.add(name="no text: here")
    body = good.SerializeToString().replace(b"no text: ", b"no text\xff ")
    answer = send(api_key, body)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert "span 1" in partial.error_message
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", [7, [], {"traceId": "xyz"}, {"attributes": 7}, {"spanId": 5}])
def test_a_broken_span_in_json_is_lost_alone(api_key: str, broken: Any) -> None:
    span = span_json() | broken if isinstance(broken, dict) else broken
    answer = send(api_key, export_json(span, span_json()))
    partial = json.loads(answer.content)["partialSuccess"]
    assert (answer.status_code, partial["rejectedSpans"]) == (200, "1")
    assert "span 0" in partial["errorMessage"]
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_rejections_are_counted_and_the_first_five_explained(api_key: str) -> None:
    long_name = "n" * 10_000
    answer = send(api_key, export_json(*[span_json(name=long_name, traceId="00") for _ in range(12)]))
    partial = json.loads(answer.content)["partialSuccess"]
    assert partial["rejectedSpans"] == "12"
    assert partial["errorMessage"].count("trace_id must be 16 bytes") == 5
    assert partial["errorMessage"].endswith("; and 7 more")
    assert len(partial["errorMessage"]) < 2_000


def raw(body: bytes, content_type: str) -> RawRequest:
    with Bodies().room() as room:
        return RawRequest("", content_type, "", body, room)


@pytest.mark.django_db(transaction=True)
def test_an_export_is_handed_to_the_writer_in_parts_of_a_batch_each(api_key: str) -> None:
    request = raw(export_protobuf(*[span_json() for _ in range(2_500)]), PROTOBUF)
    steps = TRACES.steps(request)
    sizes = []
    step = advance(steps, None)
    while isinstance(step, Submission):
        sizes.append(len(step.operations))
        assert step.size <= len(request.body) // 2
        step = advance(steps, Written(len(step.operations), 0))
    assert sizes == [MAX_OPERATIONS, MAX_OPERATIONS, 500]
    assert isinstance(step, Answer)
    assert step.status == 200


@pytest.mark.django_db(transaction=True)
def test_all_parts_of_an_export_are_on_disk_when_it_is_answered(api_key: str) -> None:
    answer = send(api_key, export_protobuf(*[span_json() for _ in range(2_500)]))
    assert (answer.status_code, answer.content) == (200, b"")
    assert Operation.objects.count() == 2_500


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "body",
    [
        export_json(*[0] * (MAX_SPANS + 1)),
        length_prefixed(1, length_prefixed(2, b"\x12\x00" * (MAX_SPANS + 1))),
        length_prefixed(1, b"\x12\x00" * MAX_SPANS * 8),
        b"\x0a\x00" * MAX_SPANS * 8,
    ],
    ids=["JSON", "spans", "scopes", "resources"],
)
def test_more_spans_than_are_taken_at_a_time_are_a_413_that_names_the_limit(
    api_key: str, body: bytes | dict[str, Any]
) -> None:
    answer = send(api_key, body)
    assert answer.status_code == 413
    assert b"10,000 spans" in answer.content
    assert answer["Content-Type"] == (JSON if isinstance(body, dict) else PROTOBUF)
