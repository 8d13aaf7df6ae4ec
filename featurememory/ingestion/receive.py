"""From a request's bytes to the writer, and from what became of them to the answer."""

from __future__ import annotations

import threading
import zlib
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from pydantic import BaseModel

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.operations import Decoded, Rejection, decode_batch
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission, Written
from featurememory.ingestion.writer import GroupCommitWriter


class BatchAnswer(BaseModel):
    """What became of a batch: it is on disk when this is sent."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]


class BodyTooLarge(Exception):
    """More bytes than the limit, before or after unzipping."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes, unzipped; send smaller batches.")


class UnusableEncoding(Exception):
    """The body is not encoded as its Content-Encoding says, or in a way that is not understood."""


@dataclass(frozen=True, slots=True)
class Received:
    """A batch on its way to disk."""

    decoded: Decoded
    future: Future[Written] | None
    """None when there is nothing to store."""

    def answer(self, written: Written | None) -> BatchAnswer:
        return BatchAnswer(
            accepted=written.accepted if written else 0,
            duplicates=written.duplicates if written else 0,
            rejected=self.decoded.rejected,
        )


class Intake:
    """This process's way to the disk: one writer, started with the first batch."""

    def __init__(self) -> None:
        configuration = settings.CONFIGURATION
        self.max_age = timedelta(days=configuration.max_age_days)
        series = SeriesRegistry(configuration.max_operation_types, configuration.max_models)
        store = GroupTransaction(series, Fleet(configuration.max_breakers)).store
        self.writer = GroupCommitWriter(store, queue_limit=configuration.queue_limit)
        self.writer.start()

    def receive_operations(self, body: bytes) -> Received:
        """Decodes a batch (unzipped JSON) and hands it to the writer.

        Raises MalformedBatch, QueueFull or WriterStopped; nothing is stored then.
        """
        decoded = decode_batch(body, datetime.now(UTC), self.max_age)
        return self.hand_in(decoded, len(body))

    def hand_in(self, decoded: Decoded, size: int) -> Received:
        if not decoded.operations and decoded.sender is None:
            return Received(decoded, None)
        return Received(decoded, self.writer.submit(Submission(decoded.operations, decoded.sender, size)))


_lock = threading.Lock()
_intake: Intake | None = None


def intake() -> Intake:
    """The process's intake, made at the first call."""
    global _intake
    with _lock:
        if _intake is None:
            _intake = Intake()
        return _intake


def open_intake() -> Intake | None:
    """The process's intake if there is one; asking does not make it."""
    return _intake


def close_intake(timeout: float | None = None) -> bool:
    """Stores what was accepted and ends the writer; True when all of it is on disk."""
    global _intake
    with _lock:
        closing, _intake = _intake, None
    return closing is None or closing.writer.stop(timeout)


def decoded_body(body: bytes, content_encoding: str, limit: int) -> bytes:
    """`body` without its Content-Encoding; never holds more than `limit` bytes and one."""
    if len(body) > limit:
        raise BodyTooLarge(limit)
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnusableEncoding(f"Content-Encoding {encoding[:50]!r} is not understood; use gzip or none.")
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, limit + 1)
    except zlib.error as wrong:
        raise UnusableEncoding(f"The body is not gzip ({wrong}).") from None
    if len(plain) > limit:
        raise BodyTooLarge(limit)
    if not unzip.eof or unzip.unused_data:
        raise UnusableEncoding("The gzip body is cut off or has something behind its end.")
    return plain
