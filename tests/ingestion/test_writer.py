"""One writer takes what all requests hand in: in groups, within its queue, and to the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client

from featurememory.ingestion.receive import intake
from featurememory.ingestion.transaction import Submission, Written
from featurememory.ingestion.writer import (
    MAX_GROUP,
    MAX_QUEUED_BYTES,
    GroupCommitWriter,
    QueueFull,
    StorageFailed,
    WriterStopped,
)
from featurememory.models import Operation as StoredOperation
from featurememory.observability.latency import LATELY_S
from tests.operations import batch, operation, operation_json, post
from tests.servers import wait_until

OPERATION = operation()


def of(count: int, size: int = 0) -> Submission:
    return Submission([OPERATION] * count, size=size)


class Disk:
    """Where a writer stores in these tests: it keeps each group and may be held up or made to fail."""

    def __init__(self) -> None:
        self.groups: list[Sequence[Submission]] = []
        self.failures: list[Exception] = []
        self.refused: Submission | None = None
        self.began = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def store(self, submissions: Sequence[Submission], now: float) -> list[Written]:
        self.groups.append(submissions)
        self.began.release()
        assert self.may_go_on.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        if self.refused in submissions:
            raise IntegrityError("refused")
        return [Written(len(each.operations), 0) for each in submissions]

    def hold_up(self, writer: GroupCommitWriter) -> None:
        """Returns when the writer is in the middle of a transaction that does not end."""
        self.may_go_on.clear()
        writer.submit(of(1))
        assert self.began.acquire(timeout=30)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def writer(disk: Disk) -> Iterator[GroupCommitWriter]:
    writer = GroupCommitWriter(disk.store, queue_limit=MAX_GROUP * 3)
    writer.start()
    yield writer
    disk.may_go_on.set()
    assert writer.stop(30)


def test_what_waits_during_a_transaction_is_stored_together_in_the_next(
    disk: Disk, writer: GroupCommitWriter
) -> None:
    disk.hold_up(writer)
    waiting = [writer.submit(of(2)) for _ in range(50)]
    disk.may_go_on.set()
    assert {each.result(30).accepted for each in waiting} == {2}
    assert [len(group) for group in disk.groups] == [1, 50]


def test_many_threads_are_each_answered_with_their_own_result(disk: Disk, writer: GroupCommitWriter) -> None:
    answers: dict[int, int] = {}

    def submit(size: int) -> None:
        answers[size] = writer.submit(of(size)).result(30).accepted

    threads = [threading.Thread(target=submit, args=(size,)) for size in range(1, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {size: size for size in range(1, 40)}
    assert len(disk.groups) <= 39
    assert writer.report().written == sum(range(1, 40))


def test_a_group_is_bounded_and_keeps_the_order_of_arrival(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.hold_up(writer)
    sizes = [400, 400, 400, 700, 1]
    waiting = [writer.submit(of(size)) for size in sizes]
    disk.may_go_on.set()
    for each in waiting:
        each.result(30)
    assert [[len(each.operations) for each in group] for group in disk.groups[1:]] == [
        [400, 400],
        [400],
        [700, 1],
    ]


def test_a_submission_larger_than_a_group_or_the_queue_is_stored_alone(disk: Disk) -> None:
    writer = GroupCommitWriter(disk.store, queue_limit=10)
    writer.start()
    assert writer.submit(of(MAX_GROUP + 5)).result(30).accepted == MAX_GROUP + 5
    assert writer.stop(30)


def test_a_full_queue_refuses_at_once_and_keeps_what_it_had(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.hold_up(writer)
    waiting = [writer.submit(of(MAX_GROUP)) for _ in range(3)]
    with pytest.raises(QueueFull):
        writer.submit(of(1))
    report = writer.report()
    assert (report.queue_depth, report.queue_limit, report.refused) == (MAX_GROUP * 3, MAX_GROUP * 3, 1)
    disk.may_go_on.set()
    assert {each.result(30).accepted for each in waiting} == {MAX_GROUP}
    assert writer.submit(of(1)).result(30).accepted == 1
    assert writer.report().queue_depth == 0


def test_the_queue_is_bounded_in_bytes_too(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.hold_up(writer)
    writer.submit(of(1, size=MAX_QUEUED_BYTES))
    with pytest.raises(QueueFull):
        writer.submit(of(1, size=1))


def test_stopping_stores_what_was_accepted_and_takes_no_more(disk: Disk) -> None:
    writer = GroupCommitWriter(disk.store, queue_limit=100)
    writer.start()
    disk.hold_up(writer)
    waiting = [writer.submit(of(1)) for _ in range(10)]
    assert not writer.stop(0), "it does not wait longer than it was told"
    with pytest.raises(WriterStopped):
        writer.submit(of(1))
    disk.may_go_on.set()
    assert writer.stop(30)
    assert all(each.result(0).accepted == 1 for each in waiting)


def test_a_database_error_is_tried_once_more(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.failures = [OperationalError("server closed the connection")]
    assert writer.submit(of(3)).result(30).accepted == 3
    assert len(disk.groups) == 2
    disk.failures = [OperationalError("away"), OperationalError("still away")]
    with pytest.raises(StorageFailed, match="still away"):
        writer.submit(of(1)).result(30)


def test_one_submission_that_the_database_refuses_does_not_hold_up_its_neighbours(
    disk: Disk, writer: GroupCommitWriter
) -> None:
    disk.hold_up(writer)
    good, bad, last = of(1), of(2), of(3)
    waiting = [writer.submit(each) for each in (good, bad, last)]
    disk.refused = bad
    disk.may_go_on.set()
    assert [waiting[0].result(30).accepted, waiting[2].result(30).accepted] == [1, 3]
    with pytest.raises(StorageFailed, match="refused"):
        waiting[1].result(30)


def test_a_database_that_is_away_fails_the_whole_group_at_once_and_the_writer_goes_on(
    disk: Disk, writer: GroupCommitWriter
) -> None:
    disk.hold_up(writer)
    waiting = [writer.submit(of(1)) for _ in range(5)]
    disk.failures = [OperationalError("away")] * 4
    disk.may_go_on.set()
    for each in waiting:
        with pytest.raises(StorageFailed, match="away"):
            each.result(30)
    assert len(disk.groups) == 4, "the group before, and this one, each tried twice"
    assert writer.submit(of(1)).result(30).accepted == 1
    assert writer.report().failed == 1 + 5


def test_what_nobody_waits_for_any_more_is_not_stored(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.hold_up(writer)
    given_up = writer.submit(of(5))
    kept = writer.submit(of(1))
    assert given_up.cancel()
    disk.may_go_on.set()
    assert kept.result(30).accepted == 1
    assert [len(group) for group in disk.groups] == [1, 1]
    assert writer.report().queue_depth == 0


def test_a_queue_of_nothing_but_cancelled_requests_harms_nobody(
    disk: Disk, writer: GroupCommitWriter
) -> None:
    disk.hold_up(writer)
    waiting = [writer.submit(of(1)) for _ in range(5)]
    assert all(each.cancel() for each in waiting)
    disk.may_go_on.set()
    assert writer.submit(of(1)).result(30).accepted == 1


def test_a_running_submission_can_no_longer_be_cancelled(disk: Disk, writer: GroupCommitWriter) -> None:
    disk.may_go_on.clear()
    running = writer.submit(of(1))
    assert disk.began.acquire(timeout=30)
    assert not running.cancel()
    disk.may_go_on.set()
    assert running.result(30).accepted == 1


def test_the_report_tells_how_long_commits_take(disk: Disk, writer: GroupCommitWriter) -> None:
    assert (writer.report().commit_ms_p50, writer.report().commit_ms_p99) == (None, None)
    writer.submit(of(1)).result(30)
    report = wait_until(lambda: writer.report().commit_ms_p50 and writer.report(), "a commit's time")
    assert 0 < report.commit_ms_p50 <= report.commit_ms_p99


def test_a_slow_commit_is_forgotten_after_a_minute(disk: Disk) -> None:
    now = 1_000.0
    writer = GroupCommitWriter(disk.store, queue_limit=10, clock=lambda: now)
    writer.start()
    writer.submit(of(1)).result(30)
    wait_until(lambda: writer.report().commit_ms_p99, "a commit's time")
    now += LATELY_S
    assert writer.report().commit_ms_p99 is not None
    now += 0.1
    assert writer.report().commit_ms_p99 is None
    assert writer.stop(30)


@contextmanager
def database_held_up() -> Iterator[None]:
    """Nobody else can store operations meanwhile."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE featurememory_operation IN EXCLUSIVE MODE")
        yield


def test_a_full_queue_is_a_503_that_says_when_to_come_back(
    transactional_db: None, client: Client, api_key: str, settings: Any
) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, queue_limit=2)
    post(client, api_key, batch(operation_json()))
    writer = intake().writer
    with database_held_up():
        running = writer.submit(Submission([operation()]))
        wait_until(lambda: writer.report().queue_depth == 0, "the writer's next transaction")
        waiting = writer.submit(Submission([operation(), operation()]))
        answer = post(client, api_key, batch(operation_json()))
        assert not running.done()
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "1", "queue_full")
    assert answer["Content-Type"] == "application/problem+json"
    assert running.result(30).accepted + waiting.result(30).accepted == 3
    assert StoredOperation.objects.count() == 4
    assert client.get("/readyz").status_code == 200


def renamed(table: str, to: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {to}")


def test_a_database_that_fails_is_a_503_and_nothing_of_the_batch_is_kept(
    transactional_db: None, client: Client, api_key: str
) -> None:
    renamed("featurememory_operation", "taken_away")
    try:
        answer = post(client, api_key, batch(operation_json()))
    finally:
        renamed("taken_away", "featurememory_operation")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
    assert answer["Retry-After"] == "5"
    assert post(client, api_key, batch(operation_json())).json()["accepted"] == 1
    assert StoredOperation.objects.count() == 1


def test_a_connection_that_was_cut_is_replaced_and_nothing_is_lost(
    transactional_db: None, client: Client, api_key: str
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to cut")
    assert post(client, api_key, batch(operation_json())).json()["accepted"] == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (cut,) = cursor.fetchone()
    assert cut >= 1
    assert post(client, api_key, batch(operation_json())).json()["accepted"] == 1
    assert StoredOperation.objects.count() == 2


def test_a_stopped_writer_is_a_503(transactional_db: None, client: Client, api_key: str) -> None:
    post(client, api_key, batch(operation_json()))
    stop: Callable[..., bool] = intake().writer.stop
    assert stop(30)
    answer = post(client, api_key, batch(operation_json()))
    assert (answer.status_code, answer.json()["code"]) == (503, "stopping")
    assert answer["Retry-After"] == "1"
