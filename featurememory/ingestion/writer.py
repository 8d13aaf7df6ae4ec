"""The process's single writer: many requests, one transaction.

Requests hand in submissions and wait; a thread takes all that are waiting, stores them in one transaction and
answers each. While a transaction runs the next group gathers: the busier, the larger the groups. What the database
refuses of a group is found by storing each submission alone, so that one cannot hold up its neighbours.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from featurememory.ingestion.transaction import Submission, Written
from featurememory.observability.latency import LatencyRecord
from featurememory.resource_management.readings import Admission, refused

logger = logging.getLogger(__name__)

MAX_GROUP = 1_000
"""Operations, with those refused, in one transaction, unless a single submission has more. Larger groups commit no
faster and hold everybody up for longer."""
MAX_QUEUED_BYTES = 64 * 2**20

Store = Callable[[Sequence[Submission], float], list[Written]]


class QueueFull(Exception):
    """The writer cannot keep up; come back later."""

    retry_after_s = 1


class WriterStopped(Exception):
    """The process is going down; nothing more is taken."""


class StorageFailed(Exception):
    """The database did not take the transaction; nothing of it is stored."""


@dataclass(frozen=True, slots=True)
class WriterReport:
    """What the writer has done since it started, what waits, and how long commits took in the last minute (None
    without one)."""

    queue_depth: int
    queue_limit: int
    written: int
    refused: int
    failed: int
    commit_ms_p50: float | None
    commit_ms_p99: float | None


@dataclass(slots=True)
class _Waiting:
    submission: Submission
    future: Future[Written] = field(default_factory=Future)


class GroupCommitWriter:
    """`submit` from any thread; `stop` stores what was accepted and ends.

    `queue_limit` is in operations; beyond it `submit` raises QueueFull at once. While `admission` knows of a resource
    that is used up, it raises ResourceConstraintError.
    """

    def __init__(
        self,
        store: Store,
        *,
        queue_limit: int,
        clock: Callable[[], float] = time.time,
        admission: Admission | None = None,
    ) -> None:
        self._store = store
        self.admission = admission or Admission()
        self._queue_limit = queue_limit
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._depth = 0
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._written = self._refused = self._failed = 0
        self._commits = LatencyRecord(clock)
        self._thread = threading.Thread(target=self._run, name="ingestion-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, submission: Submission) -> Future[Written]:
        """The future of what became of `submission`; it is done when the transaction is."""
        size = submission.items
        with self._changed:
            if self._stopping:
                raise WriterStopped
            if (short := self.admission.refusal) is not None:
                self._refused += size
                raise refused(short)
            if self._queue and (
                self._depth + size > self._queue_limit or self._bytes + submission.size > MAX_QUEUED_BYTES
            ):
                self._refused += size
                raise QueueFull
            waiting = _Waiting(submission)
            self._queue.append(waiting)
            self._depth += size
            self._bytes += submission.size
            self._changed.notify()
        return waiting.future

    def stop(self, timeout: float | None = None) -> bool:
        """Takes nothing more, stores what waits; True when all is stored within `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether what is submitted will be stored."""
        return self._thread.is_alive()

    def report(self) -> WriterReport:
        with self._changed:
            commits = self._commits.lately()
            return WriterReport(
                queue_depth=self._depth,
                queue_limit=self._queue_limit,
                written=self._written,
                refused=self._refused,
                failed=self._failed,
                commit_ms_p50=commits.p50_ms,
                commit_ms_p99=commits.p99_ms,
            )

    def _run(self) -> None:
        try:
            while (group := self._next_group()) is not None:
                self._write(group)
        finally:
            connection.close()

    def _next_group(self) -> list[_Waiting] | None:
        """What waits, up to a group's size, less what nobody waits for any more; None when all is done."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return None
                self._changed.wait()
            group: list[_Waiting] = []
            size = 0
            while self._queue and (not group or size + self._queue[0].submission.items <= MAX_GROUP):
                waiting = self._queue.popleft()
                self._depth -= waiting.submission.items
                self._bytes -= waiting.submission.size
                if waiting.future.set_running_or_notify_cancel():
                    group.append(waiting)
                    size += waiting.submission.items
            return group

    def _write(self, group: list[_Waiting]) -> None:
        if not group:
            return
        began = time.perf_counter()
        try:
            written = self._store_with_retry([waiting.submission for waiting in group])
        except Exception as failure:
            if len(group) > 1 and not isinstance(failure, OperationalError | InterfaceError):
                logger.warning("a group could not be stored, trying each request alone: %r", failure)
                for waiting in group:
                    self._write([waiting])
                return
            logger.exception("a group of %d requests could not be stored", len(group))
            self._failed += sum(len(waiting.submission.operations) for waiting in group)
            for waiting in group:
                waiting.future.set_exception(StorageFailed(str(failure)))
            return
        self._commits.note((time.perf_counter() - began) * 1_000)
        for waiting, result in zip(group, written, strict=True):
            self._written += result.accepted
            waiting.future.set_result(result)

    def _store_with_retry(self, submissions: list[Submission]) -> list[Written]:
        """Once more on a new connection: the old one may have been cut, or lost a deadlock. Operations are known
        by their ids, so that even a commit whose answer was lost is not doubled."""
        try:
            return self._store(submissions, self._clock())
        except (DatabaseError, InterfaceError) as failure:
            logger.warning("storing failed, trying once more on a new connection: %s", failure)
            connection.close()
            return self._store(submissions, self._clock())
