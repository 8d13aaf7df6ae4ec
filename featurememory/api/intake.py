"""The endpoints that take operations in, apart from any web framework.

An endpoint is a generator: it decodes a request and yields what is to be stored, part by part; each part is on disk
when it goes on; what it returns is the answer. Two thin shells drive it: Django's views, and the ASGI router's fast
path (serving/router.py), which waits without a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from time import time
from typing import Any, Protocol

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from featurememory.access import KEYS
from featurememory.api.auth import allow
from featurememory.api.problems import ProblemError
from featurememory.errors import ResourceConstraintError
from featurememory.ingestion.bodies import (
    BodyTooLarge,
    TooManyValues,
    UnusableEncoding,
    check_density,
    decoded_body,
    plain_size,
)
from featurememory.ingestion.failures import subject_of_operation
from featurememory.ingestion.operations import Decoded, MalformedBatch, Operation, judged
from featurememory.ingestion.receive import BatchAnswer, intake
from featurememory.ingestion.room import BODIES, NoRoom, Room
from featurememory.ingestion.transaction import Submission, Written
from featurememory.ingestion.writer import QueueFull, StorageFailed, WriterStopped
from featurememory.integration.server_errors import ERRORS
from featurememory.validation.passes import PASSES
from featurememory.validation.results import Judged, Subject

logger = logging.getLogger(__name__)

SCOPE = "ingest"


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What an endpoint needs of a request; header values are empty when absent."""

    authorization: str
    content_type: str
    content_encoding: str
    body: bytes
    room: Room
    key: str = ""
    """The caller's name."""

    @property
    def plain_size(self) -> int:
        """The body's bytes, unzipped, as far as it can be known without unzipping."""
        return plain_size(self.body, self.content_encoding)

    def plain_body(self) -> bytes:
        body = decoded_body(self.body, self.content_encoding, settings.CONFIGURATION.max_body_bytes)
        if body is not self.body:
            self.room.take(len(body))
        return body

    def plain_json(self) -> bytes:
        body = self.plain_body()
        check_density(body, settings.CONFIGURATION.max_body_bytes)
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


Steps = Generator[Submission, Written, Answer]


class Endpoint(Protocol):
    quick_up_to: int
    """Bodies of more bytes, unzipped, take so long to decode that an event loop must not do it."""

    def steps(self, request: RawRequest) -> Steps: ...

    def refuse(self, problem: ProblemError, request: RawRequest) -> Answer: ...


def advance(steps: Steps, written: Written | None) -> Submission | Answer:
    """What comes after `written`, what became of the part before (None at the beginning)."""
    try:
        return next(steps) if written is None else steps.send(written)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


class OperationsEndpoint:
    """`POST /api/v1/operations`."""

    quick_up_to = 2**19

    def steps(self, request: RawRequest) -> Steps:
        body = request.plain_json()
        try:
            decoded = intake().decode_operations(body)
        except MalformedBatch as wrong:
            yield Submission((), refused=[judged(wrong.errors, request.key, Subject())])
            raise
        sender, refused = decoded.sender, _refused(decoded, request.key)
        written = Written(0, 0)
        if decoded.operations or sender or refused:
            written = yield Submission(decoded.operations, sender, len(body), refused, request.key)
            count_passes(decoded.operations, sender.instance if sender else "", request.key)
        answer = BatchAnswer(
            accepted=written.accepted, duplicates=written.duplicates, rejected=[*decoded.rejected]
        )
        if answer.rejected and not decoded.operations:
            raise ProblemError(
                422,
                "all_rejected",
                "No operation was stored",
                "Each operation has something wrong with it; `rejected` names field and limit.",
                members=answer.model_dump(),
            )
        return Answer(200, {"Content-Type": "application/json"}, answer.model_dump_json().encode())

    def refuse(self, problem: ProblemError, request: RawRequest) -> Answer:
        return Answer(problem.status, problem.headers(), problem.body())


OPERATIONS = OperationsEndpoint()


def _refused(decoded: Decoded, key: str) -> list[Judged]:
    source = decoded.sender.instance if decoded.sender else ""
    return [judged(each.errors, source or each.instance or key, each.subject) for each in decoded.rejected]


def count_passes(operations: Sequence[Operation], instance: str, key: str) -> None:
    """They were valid, and are on disk. All count for the sender, or else for whom the first names."""
    if operations:
        first = operations[0]
        source = instance or first.instance or key
        PASSES.add("operation", source, len(operations), subject_of_operation(first), time())


def as_problem(failure: Exception) -> ProblemError:
    """The problem that answers `failure`."""
    match failure:
        case ProblemError():
            return failure
        case MalformedBatch():
            status = 422 if failure.readable else 400
            return ProblemError(
                status, "malformed_batch", "The batch cannot be read", str(failure), failure.errors
            )
        case BodyTooLarge() | TooManyValues():
            return ProblemError(413, "too_large", "The body is too large", str(failure))
        case UnusableEncoding():
            return ProblemError(400, "encoding", "The body cannot be unpacked", str(failure))
        case QueueFull():
            detail = f"More arrives than can be stored. {_AGAIN}"
            return ProblemError(503, "queue_full", "Busy", detail, retry_after_s=failure.retry_after_s)
        case NoRoom():
            detail = f"More large bodies arrive at a time than are taken. {_AGAIN}"
            return ProblemError(503, "no_room", "Busy", detail, retry_after_s=failure.retry_after_s)
        case ResourceConstraintError():
            ERRORS.handle(failure)
            detail = f"{failure} {_AGAIN}"
            return ProblemError(503, failure.code, "There is no room", detail, retry_after_s=5)
        case WriterStopped():
            return ProblemError(
                503, "stopping", "Stopping", f"The server is stopping. {_AGAIN}", retry_after_s=1
            )
        case StorageFailed():
            detail = f"The database did not take the batch. {_AGAIN}"
            return ProblemError(503, "storage_failed", "Not stored", detail, retry_after_s=5)
        case OperationalError() | InterfaceError():
            logger.warning("the database does not answer: %s", failure)
            detail = "The database does not answer; come back later."
            return ProblemError(503, "database", "No database", detail, retry_after_s=5)
        case _:
            ERRORS.handle(failure, "taking in")
            detail = "The server failed on this request; its log says more."
            return ProblemError(500, "internal", "Internal error", detail)


_AGAIN = "Send the same again later: what is stored already is not stored twice."


def django_view(endpoint: Endpoint) -> Callable[[HttpRequest], HttpResponse]:
    """The endpoint as a Django view: a thread waits for the writer."""

    def view(request: HttpRequest, **_: Any) -> HttpResponse:
        with BODIES.room() as room:
            raw = RawRequest(
                authorization=request.headers.get("Authorization", ""),
                content_type=request.headers.get("Content-Type", ""),
                content_encoding=request.headers.get("Content-Encoding", ""),
                body=request.body,
                room=room,
            )
            try:
                caller = allow(KEYS.caller(raw.authorization), SCOPE)
                answer = _drive(endpoint.steps(replace(raw, key=caller.actor)))
            except Exception as failure:
                answer = endpoint.refuse(as_problem(failure), raw)
        return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

    return view


def _drive(steps: Steps) -> Answer:
    step = advance(steps, None)
    while isinstance(step, Submission):
        step = advance(steps, intake().writer.submit(step).result())
    return step
