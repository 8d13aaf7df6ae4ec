"""The endpoints that take operations in, apart from any web framework.

An endpoint begins a request (decode, hand to the writer), and finishes it once the writer has answered. Two thin
shells drive them: Django's views, and the ASGI router's fast path (serving/router.py), which waits without a
thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from featurememory.access import KEYS
from featurememory.api.auth import allow
from featurememory.api.problems import ProblemError
from featurememory.ingestion.operations import MalformedBatch
from featurememory.ingestion.receive import BodyTooLarge, Received, UnusableEncoding, decoded_body, intake
from featurememory.ingestion.transaction import Written
from featurememory.ingestion.writer import QueueFull, StorageFailed, WriterStopped

SCOPE = "ingest"


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What an endpoint needs of a request; header values are empty when absent."""

    authorization: str
    content_type: str
    content_encoding: str
    body: bytes

    def plain_body(self) -> bytes:
        return decoded_body(self.body, self.content_encoding, settings.CONFIGURATION.max_body_bytes)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Pending(Protocol):
    """A request whose operations are on their way to disk."""

    @property
    def future(self) -> Future[Written] | None: ...

    def finish(self, written: Written | None) -> Answer: ...


class Endpoint(Protocol):
    def begin(self, request: RawRequest) -> Pending: ...

    def refuse(self, problem: ProblemError, request: RawRequest) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _PendingBatch:
    received: Received

    @property
    def future(self) -> Future[Written] | None:
        return self.received.future

    def finish(self, written: Written | None) -> Answer:
        answer = self.received.answer(written)
        if answer.rejected and not self.received.decoded.operations:
            raise ProblemError(
                422,
                "all_rejected",
                "No operation was stored",
                "Each operation has something wrong with it; `rejected` names field and limit.",
                members=answer.model_dump(),
            )
        return Answer(200, {"Content-Type": "application/json"}, answer.model_dump_json().encode())


class OperationsEndpoint:
    """`POST /api/v1/operations`."""

    def begin(self, request: RawRequest) -> Pending:
        return _PendingBatch(intake().receive_operations(request.plain_body()))

    def refuse(self, problem: ProblemError, request: RawRequest) -> Answer:
        return Answer(problem.status, problem.headers(), problem.body())


OPERATIONS = OperationsEndpoint()


def as_problem(failure: Exception) -> ProblemError:
    """The problem that answers `failure`; what is not foreseen is raised again."""
    match failure:
        case ProblemError():
            return failure
        case MalformedBatch():
            status = 422 if failure.readable else 400
            return ProblemError(
                status, "malformed_batch", "The batch cannot be read", str(failure), failure.errors
            )
        case BodyTooLarge():
            return ProblemError(413, "too_large", "The body is too large", str(failure))
        case UnusableEncoding():
            return ProblemError(400, "encoding", "The body cannot be unpacked", str(failure))
        case QueueFull():
            detail = "More arrives than can be stored; nothing of this batch was kept. Send it again later."
            return ProblemError(503, "queue_full", "Busy", detail, retry_after_s=failure.retry_after_s)
        case WriterStopped():
            detail = "The server is stopping; nothing of this batch was kept. Send it again."
            return ProblemError(503, "stopping", "Stopping", detail, retry_after_s=1)
        case StorageFailed():
            detail = "The database did not take the batch; nothing of it was kept. Send it again later."
            return ProblemError(503, "storage_failed", "Not stored", detail, retry_after_s=5)
        case _:
            raise failure


def django_view(endpoint: Endpoint) -> Callable[[HttpRequest], HttpResponse]:
    """The endpoint as a Django view: a thread waits for the writer."""

    def view(request: HttpRequest, **_: Any) -> HttpResponse:
        raw = RawRequest(
            authorization=request.headers.get("Authorization", ""),
            content_type=request.headers.get("Content-Type", ""),
            content_encoding=request.headers.get("Content-Encoding", ""),
            body=request.body,
        )
        try:
            allow(KEYS.caller(raw.authorization), SCOPE)
            pending = endpoint.begin(raw)
            answer = pending.finish(pending.future.result() if pending.future else None)
        except Exception as failure:
            answer = endpoint.refuse(as_problem(failure), raw)
        return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

    return view
