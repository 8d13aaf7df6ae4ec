"""A run is leased, noted and never doubled; what fails is kept, said and tried again."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from featurememory.models import Job, JobRun
from featurememory.scheduling.due import MOST_RETRIES
from featurememory.scheduling.leases import LEASE, renew_lease, take_lease
from featurememory.scheduling.runs import KEPT_FAILURES, forget_old_runs, run_job
from tests.scheduling.jobs import EVERY, HOURLY, never_again, scheduled


def failing() -> None:
    raise RuntimeError("no wool")


def row() -> Job:
    return Job.objects.get(name="count_sheep")


def test_a_run_is_noted_with_how_long_it_took_and_how_it_went(db: None) -> None:
    assert run_job(scheduled(), never_again)

    job = row()
    assert (job.result, job.runs, job.failures_in_a_row, job.lease_owner) == ("succeeded", 1, 0, "")
    assert job.started_at is not None
    assert job.succeeded_at == job.ended_at
    assert job.ended_at is not None
    assert job.ended_at >= job.started_at
    assert job.duration_ms is not None
    assert job.leased_until is None
    assert not JobRun.objects.exists()


def test_a_run_that_goes_well_costs_two_statements(db: None) -> None:
    run_job(scheduled(), never_again)

    with CaptureQueriesContext(connection) as queries:
        run_job(scheduled(), never_again)

    assert [each["sql"].split()[0] for each in queries] == ["UPDATE", "UPDATE"]


def test_while_somebody_runs_it_nobody_else_does(db: None) -> None:
    inner: list[bool] = []

    def run_again() -> None:
        inner.append(run_job(scheduled(failing), never_again))

    assert run_job(scheduled(run_again), never_again)
    assert inner == [False]
    assert row().runs == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_runs_it() -> None:
    began, may_end = threading.Event(), threading.Event()
    ran: list[bool] = []

    def work() -> None:
        began.set()
        assert may_end.wait(30)

    def worker() -> None:
        try:
            ran.append(run_job(scheduled(work), never_again))
        finally:
            connection.close()

    workers = [threading.Thread(target=worker) for _ in range(6)]
    for each in workers:
        each.start()
    assert began.wait(30)
    for each in workers:
        each.join(0.05)
    while len(ran) < 5:
        next(each for each in workers if each.is_alive()).join(0.01)
    may_end.set()
    for each in workers:
        each.join()
    assert sorted(ran) == [False] * 5 + [True]
    assert row().runs == 1


def test_the_lease_of_a_worker_that_is_gone_runs_out(db: None, now: datetime) -> None:
    assert take_lease("count_sheep", EVERY, "gone", now, asked=False)
    assert not take_lease("count_sheep", EVERY, "other", now + LEASE / 2, asked=False)
    assert renew_lease("count_sheep", "gone", now + LEASE / 2)
    assert not take_lease("count_sheep", EVERY, "other", now + LEASE, asked=False)
    assert take_lease("count_sheep", EVERY, "other", now + LEASE * 2, asked=False)
    assert not renew_lease("count_sheep", "gone", now + LEASE * 2)
    assert row().interruptions == 1


def test_a_run_whose_lease_another_has_by_now_notes_nothing_over_it(db: None, now: datetime) -> None:
    def lose_the_lease() -> None:
        Job.objects.update(leased_until=now - LEASE)
        assert take_lease("count_sheep", EVERY, "other", now, asked=False)

    run_job(scheduled(lose_the_lease), never_again)

    assert (row().lease_owner, row().runs) == ("other", 0)


def test_a_failure_is_kept_counted_and_raised_on(db: None) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no wool"):
            run_job(scheduled(failing), never_again)

    job = row()
    assert (job.result, job.failures, job.failures_in_a_row) == ("failed", 2, 2)
    assert job.error == "RuntimeError: no wool"
    assert job.failed_at is not None
    assert job.lease_owner == ""
    assert set(JobRun.objects.values_list("status", "error")) == {("failed", "RuntimeError: no wool")}

    run_job(scheduled(), never_again)
    assert (row().result, row().failures, row().failures_in_a_row) == ("succeeded", 2, 0)
    assert row().error == "RuntimeError: no wool"


def test_a_rare_job_that_fails_is_tried_again_some_times(db: None) -> None:
    waits: list[timedelta] = []
    for _ in range(MOST_RETRIES + 2):
        with pytest.raises(RuntimeError):
            run_job(scheduled(failing, every=HOURLY), waits.append)

    assert len(waits) == MOST_RETRIES
    assert row().retry_at is None


def test_when_it_is_tried_again_stands_in_its_row(db: None) -> None:
    waits: list[timedelta] = []
    with pytest.raises(RuntimeError):
        run_job(scheduled(failing, every=HOURLY), waits.append)

    job = row()
    assert job.failed_at is not None
    assert job.retry_at == job.failed_at + waits[0]
    assert job.seen.retry_at == job.retry_at


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_note_hides_no_failure() -> None:
    def break_the_table() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE featurememory_job RENAME TO moved_away")
        failing()

    try:
        with pytest.raises(RuntimeError, match="no wool"):
            run_job(scheduled(break_the_table), never_again)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE moved_away RENAME TO featurememory_job")


def asked_run(**changes: Any) -> JobRun:
    return JobRun.objects.create(job="count_sheep", status=JobRun.Status.WAITING, **changes)


def test_a_run_that_was_asked_for_is_kept_with_its_end(db: None, now: datetime) -> None:
    asked = asked_run(asked_at=now)

    run_job(scheduled(), never_again, asked.pk)

    asked.refresh_from_db()
    assert asked.status == "succeeded"
    assert asked.started_at is not None
    assert asked.ended_at is not None
    assert asked.worker
    assert row().was_asked_for


def test_a_run_that_was_asked_for_and_fails_is_one_row(db: None, now: datetime) -> None:
    asked = asked_run(asked_at=now)

    with pytest.raises(RuntimeError):
        run_job(scheduled(failing), never_again, asked.pk)

    assert JobRun.objects.get().status == "failed"
    assert JobRun.objects.get().error == "RuntimeError: no wool"


def test_a_run_that_was_asked_for_while_it_runs_is_said_to_be_skipped(db: None, now: datetime) -> None:
    asked = asked_run(asked_at=now)

    run_job(scheduled(lambda: run_job(scheduled(), never_again, asked.pk) and None), never_again)

    asked.refresh_from_db()
    assert (asked.status, asked.error) == ("skipped", "It was running already.")


def test_of_old_runs_the_newest_stay_and_all_that_were_asked_for(db: None, now: datetime) -> None:
    asked_run(asked_at=now, ended_at=now)
    JobRun.objects.bulk_create(
        JobRun(job="count_sheep", status="failed", ended_at=now) for _ in range(KEPT_FAILURES + 5)
    )

    forget_old_runs()

    assert JobRun.objects.filter(asked_at=None).count() == KEPT_FAILURES
    assert JobRun.objects.exclude(asked_at=None).count() == 1
