"""What a process takes operations in with: its way from a request's bytes to the disk."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from django.conf import settings
from pydantic import BaseModel

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.operations import Decoded, Rejection, decode_batch
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction
from featurememory.ingestion.writer import GroupCommitWriter


class BatchAnswer(BaseModel):
    """What became of a batch: it is on disk when this is sent."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]


class Intake:
    """This process's way to the disk: one writer, started with the first batch."""

    def __init__(self) -> None:
        configuration = settings.CONFIGURATION
        self.max_age = timedelta(days=configuration.max_age_days)
        series = SeriesRegistry(configuration.max_operation_types, configuration.max_models)
        store = GroupTransaction(series, Fleet(configuration.max_breakers)).store
        self.writer = GroupCommitWriter(store, queue_limit=configuration.queue_limit)
        self.writer.start()
        self.skipped_spans = 0
        """Spans that came over OpenTelemetry and were no operations."""

    def decode_operations(self, body: bytes) -> Decoded:
        """The operations of a batch (unzipped JSON); MalformedBatch when they cannot be told apart."""
        return decode_batch(body, datetime.now(UTC), self.max_age)


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
