"""The page of jobs: what runs how often, how it went, and a run at once by who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from dashboard.job_rows import RUNS_SHOWN
from featurememory.models import AuditEntry, Job, JobRun
from featurememory.scheduling.schedule import JOBS
from tests.dashboard.test_optimizations import page_of, text_of
from tests.scheduling.broker import deaf_broker

__all__ = ["deaf_broker"]
Build = Callable[[str], None]
SignIn = Callable[[str], Client]
PAGE, RUN = "/jobs/", "/jobs/merge_patterns/run/"


def given(reason: str = "two look alike") -> dict[str, str]:
    return {"reason": reason, "request_id": str(uuid4())}


def job(name: str, now: datetime, **changes: Any) -> Job:
    every_s = JOBS[name].every.total_seconds()
    return Job.objects.create(name=name, every_s=every_s, known_since=now, **changes)


def row_of(page: str, name: str) -> str:
    return text_of(page.split(f'id="job-{name}"')[1].split("</li>", maxsplit=1)[0])


def test_before_any_run_every_job_is_there_and_says_so(sign_in: SignIn) -> None:
    page = page_of(sign_in("viktor"), PAGE)

    for name in JOBS:
        assert "Never ran yet" in row_of(page, name)
    assert "Merge patterns Merges patterns that have drifted into each other." in row_of(
        page, "merge_patterns"
    )
    assert "Every 60 min" in row_of(page, "merge_patterns")
    assert "No run has failed, and nobody has asked for one." in text_of(page)


def test_a_run_that_went_well_says_when_and_how_long(sign_in: SignIn, now: datetime) -> None:
    job("settle_breakers", now, started_at=now, ended_at=now, result="succeeded", duration_ms=3.4, runs=7)

    told = row_of(page_of(sign_in("viktor"), PAGE), "settle_breakers")

    assert told.startswith("Succeeded") or "Succeeded" in told
    assert "took 3.4 ms, 7 runs" in told


def test_an_overdue_job_and_a_failing_one_say_so(sign_in: SignIn, now: datetime) -> None:
    job("settle_breakers", now, started_at=now - timedelta(minutes=10), result="succeeded")
    job(
        "merge_patterns", now, started_at=now, result="failed", failed_at=now, failures_in_a_row=2,
        error="ValueError: odd",
    )  # fmt: skip

    page = page_of(sign_in("viktor"), PAGE)

    assert "Overdue for 10 min: it has not begun." in row_of(page, "settle_breakers")
    assert "Failed 2 times in a row" in row_of(page, "merge_patterns")
    assert "ValueError: odd" in row_of(page, "merge_patterns")


def test_a_run_that_was_asked_for_waits_visibly_for_the_worker(sign_in: SignIn) -> None:
    client = sign_in("admin")

    told = client.post(RUN, given(), follow=True)

    assert told.redirect_chain == [(PAGE, 302)]
    page = told.content.decode()
    assert "Merge patterns was asked for: it waits for the worker." in text_of(page)
    assert "Asked for by admin" in row_of(page, "merge_patterns")
    assert "waits for the worker" in row_of(page, "merge_patterns")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("admin", "job.run", "two look alike")


def test_a_double_submit_asks_once(sign_in: SignIn) -> None:
    client, sent = sign_in("admin"), given()
    for _ in range(2):
        assert client.post(RUN, sent).status_code == 302
    assert JobRun.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1_001])
def test_without_a_proper_reason_nothing_is_asked_for(sign_in: SignIn, reason: str) -> None:
    answer = sign_in("admin").post(RUN, given(reason))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not JobRun.objects.exists()


@pytest.mark.usefixtures("deaf_broker")
def test_without_the_broker_the_page_says_so_and_can_be_sent_again(sign_in: SignIn) -> None:
    client, sent = sign_in("admin"), given()
    for _ in range(2):
        answer = client.post(RUN, sent)
        assert answer.status_code == 503
        assert "the broker between web and worker does not answer" in text_of(answer.content.decode())
    assert "Not sent" in text_of(page_of(client, PAGE))
    assert JobRun.objects.count() == 1


@pytest.mark.parametrize("name", ["olga", "viktor"])
def test_only_an_administrator_may_run_a_job(sign_in: SignIn, name: str) -> None:
    client = sign_in(name)
    assert "Run now" not in page_of(client, PAGE)
    assert client.get(RUN).status_code == client.post(RUN, given()).status_code == 403
    assert not JobRun.objects.exists()


def test_an_unknown_job_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("admin").get("/jobs/dance/run/").status_code == 404


def test_runs_are_paged(sign_in: SignIn, now: datetime) -> None:
    JobRun.objects.bulk_create(
        JobRun(job="merge_patterns", status="failed", ended_at=now, error=f"number {number}.")
        for number in range(RUNS_SHOWN + 1)
    )
    client = sign_in("viktor")
    page = page_of(client, PAGE)
    assert "number 30." in page
    assert "number 0." not in page
    before = JobRun.objects.get(error="number 1.").pk
    assert f"?before={before}" in page
    assert "number 0." in page_of(client, f"{PAGE}?before={before}")
    assert "Nothing older." in page_of(client, f"{PAGE}?before=1")


def test_the_page_takes_few_queries(
    sign_in: SignIn, situation: Build, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("olga")
    with django_assert_max_num_queries(12):
        page_of(client, PAGE)
    with django_assert_max_num_queries(7):
        page_of(client, PAGE, **{"HX-Request": "true"})
