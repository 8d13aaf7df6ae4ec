"""`POST /v1/traces`: spans in, by OTLP/HTTP (OpenTelemetry protocol specification 1.x), protobuf or JSON.

The answer comes in the request's encoding. Refused spans are counted in `partial_success`, and the rest is stored;
only what a client may send again is answered with an error it will retry.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import orjson
from django.conf import settings
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from featurememory.api.intake import Answer, RawRequest, Steps, count_passes
from featurememory.api.problems import ProblemError
from featurememory.ingestion.operations import MAX_OPERATIONS, Operation
from featurememory.ingestion.otlp.export import Export, MalformedExport, TooManySpans
from featurememory.ingestion.otlp.from_json import json_export
from featurememory.ingestion.otlp.from_protobuf import protobuf_export
from featurememory.ingestion.otlp.translation import Tally, operations_in
from featurememory.ingestion.receive import intake
from featurememory.ingestion.transaction import Submission
from featurememory.validation.results import Judged

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 422: 3, 500: 13, 503: 14}
_UNKNOWN = 2


class TracesEndpoint:
    """An export is stored in parts no larger than a batch, one after the other."""

    quick_up_to = 2**13

    def steps(self, request: RawRequest) -> Steps:
        is_json = _is_json(request.content_type)
        export = _export(request, is_json=is_json)
        share = request.plain_size // max(1, len(export.spans))
        tally = Tally()
        keep_content = settings.CONFIGURATION.otlp_content
        found = operations_in(export, tally, datetime.now(UTC), intake().max_age, keep_content=keep_content)
        while part := list(islice(found, MAX_OPERATIONS)):
            operations = [each for each in part if isinstance(each, Operation)]
            refused = [_from(request.key, each) for each in part if isinstance(each, Judged)]
            yield Submission(operations, size=share * len(part), refused=refused, key=request.key)
            count_passes(operations, "", request.key)
        intake().skipped_spans += tally.skipped
        return _answer(tally, is_json=is_json)

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


def _from(key: str, refused: Judged) -> Judged:
    return refused if refused.source else refused._replace(source=key)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (PROTOBUF, JSON):
        return kind == JSON
    detail = f"Send spans as {PROTOBUF} or {JSON}, not {kind[:50]!r}."
    raise ProblemError(415, "media_type", "The encoding is not understood", detail)


def _export(request: RawRequest, *, is_json: bool) -> Export:
    try:
        return json_export(request.plain_json()) if is_json else protobuf_export(request.plain_body())
    except MalformedExport as wrong:
        raise ProblemError(400, "malformed", "The spans cannot be read", str(wrong)) from None
    except TooManySpans as wrong:
        raise ProblemError(413, "too_many_spans", "The export is too large", str(wrong)) from None


def _answer(tally: Tally, *, is_json: bool) -> Answer:
    response = ExportTraceServiceResponse()
    if tally.rejected:
        more = tally.rejected - len(tally.faults)
        said = [*tally.faults, *([f"and {more} more"] if more else [])]
        response.partial_success.rejected_spans = tally.rejected
        response.partial_success.error_message = "; ".join(said)
    if is_json:
        return Answer(200, {"Content-Type": JSON}, orjson.dumps(MessageToDict(response)))
    return Answer(200, {"Content-Type": PROTOBUF}, response.SerializeToString())
