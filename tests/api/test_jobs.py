"""Jobs over the API: how they stand, and a run at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.access import create_api_key
from featurememory.models import AuditEntry, Job, JobRun
from featurememory.scheduling.schedule import JOBS
from tests.operations import bearer
from tests.scheduling.broker import deaf_broker

__all__ = ["deaf_broker"]
RUN = "/api/v1/jobs/merge_patterns/run"


def listed(client: Client, key: str) -> dict[str, Any]:
    answer = client.get("/api/v1/jobs", headers=bearer(key))
    assert answer.status_code == 200
    return {each["name"]: each for each in answer.json()["items"]}


def ask(client: Client, key: str, body: object, path: str = RUN) -> Any:
    return client.post(path, body, "application/json", headers=bearer(key))


def test_every_job_is_listed_before_the_schedule_ever_ran(client: Client, api_key: str) -> None:
    jobs = listed(client, api_key)
    assert list(jobs) == list(JOBS)
    assert jobs["settle_breakers"]["every_s"] == 5
    assert jobs["settle_breakers"]["stage"] == "waiting"
    assert jobs["settle_breakers"]["purpose"].startswith("Moves the breakers that time alone has moved")


def test_the_list_takes_two_queries_beside_the_key(
    client: Client, api_key: str, django_assert_num_queries: Any
) -> None:
    listed(client, api_key)
    with django_assert_num_queries(2):
        listed(client, api_key)


def test_a_job_that_failed_says_why_and_when_it_is_tried_again(
    client: Client, api_key: str, now: datetime
) -> None:
    Job.objects.create(
        name="merge_patterns", every_s=3_600, known_since=now, started_at=now, ended_at=now, result="failed",
        failed_at=now, error="ValueError: odd", failures=3, failures_in_a_row=2,
        retry_at=now + timedelta(minutes=1),
    )  # fmt: skip
    job = listed(client, api_key)["merge_patterns"]
    assert (job["result"], job["error"], job["failures_in_a_row"]) == ("failed", "ValueError: odd", 2)
    assert job["outlook"] == "Is tried again after its failure."
    assert job["due_at"] == job["retry_at"]


def test_a_run_at_once_is_taken_with_its_reason_and_once(client: Client, api_key: str) -> None:
    body = {"reason": "two of them look alike", "request_id": str(uuid4())}
    answers = [ask(client, api_key, body) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "waiting"
    assert AuditEntry.objects.get().actor == "key tests"
    assert JobRun.objects.count() == 1


def test_what_is_wrong_is_named(client: Client, api_key: str) -> None:
    unknown = ask(client, api_key, {"reason": "x"}, "/api/v1/jobs/dance/run")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_job")
    assert "settle_breakers" in unknown.json()["detail"]
    assert ask(client, api_key, {}).json()["errors"][0]["field"] == "reason"
    assert ask(client, api_key, {"reason": "  "}).status_code == 422
    assert not JobRun.objects.exists()


@pytest.mark.usefixtures("deaf_broker")
def test_without_the_broker_it_is_refused_for_now(client: Client, api_key: str) -> None:
    answer = ask(client, api_key, {"reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "broker_away")
    assert int(answer.headers["Retry-After"]) > 0


def test_it_takes_the_scopes(client: Client, db: None) -> None:
    _, reader = create_api_key("reader", ["read"])
    assert ask(client, reader, {"reason": "x"}).status_code == 403
    assert client.get("/api/v1/jobs").status_code == 401
