"""One schedule: each job once, with its words, and a memory of when it ran."""

from __future__ import annotations

from datetime import datetime, timedelta

import featurememory.jobs
from featurememory.celery import app
from featurememory.models import Job
from featurememory.scheduling.beat import RememberingScheduler
from featurememory.scheduling.schedule import JOBS, celery_schedule, keep_schedule
from tests.scheduling.jobs import scheduled


def test_every_job_says_what_it_does_in_a_sentence() -> None:
    for each in JOBS.values():
        assert each.purpose.endswith(".")
        assert each.purpose[0].isupper()
        assert ". " not in each.purpose


def test_every_job_is_a_task_of_the_same_name() -> None:
    tasks = app.tasks
    assert {each.task for each in JOBS.values()} <= set(tasks)
    assert set(celery_schedule()) == set(JOBS)
    assert celery_schedule()["settle_breakers"] == {
        "task": "featurememory.settle_breakers",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 5.0},
    }


def test_a_task_runs_its_job_and_notes_it(db: None) -> None:
    featurememory.jobs.settle_breakers()

    assert Job.objects.get(name="settle_breakers").result == "succeeded"


def test_the_schedule_keeps_a_row_of_each_job_and_of_no_other(db: None, now: datetime) -> None:
    Job.objects.create(name="gone", every_s=1, known_since=now)
    Job.objects.create(name="count_sheep", every_s=1, known_since=now, started_at=now, runs=7)

    starts = keep_schedule([scheduled()], now + timedelta(hours=1))

    assert starts == {"count_sheep": now}
    kept = Job.objects.get()
    assert (kept.every_s, kept.runs, kept.known_since) == (5.0, 7, now)


def test_a_schedule_that_is_started_again_goes_on_where_it_ended(db: None, now: datetime) -> None:
    before = now - timedelta(minutes=50)
    Job.objects.create(name="merge_patterns", every_s=3_600, known_since=before, started_at=before)

    app.finalize()
    schedule = RememberingScheduler(app=app).schedule

    assert schedule["merge_patterns"].last_run_at == before
    assert schedule["merge_patterns"].is_due().next < 11 * 60
    assert set(JOBS) <= set(schedule)
    assert Job.objects.count() == len(JOBS)
