"""A run that somebody asks for: audited, sent once, and said when it cannot be sent."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

import featurememory.jobs  # noqa: F401 - which puts them on the schedule
from featurememory.errors import ValidationError
from featurememory.models import AuditEntry, JobRun
from featurememory.scheduling.requests import BrokerAway, UnknownJob, ask_for_run
from tests.scheduling.broker import deaf_broker

__all__ = ["deaf_broker"]


def test_it_waits_for_the_worker_and_is_audited(db: None, now: datetime) -> None:
    request_id = uuid4()

    run = ask_for_run("settle_breakers", actor="alma", reason=" stuck ", now=now, request_id=request_id)

    assert (run.status, run.asked_by, run.reason, run.asked_at) == ("waiting", "alma", "stuck", now)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject) == ("alma", "job.run", "settle_breakers")
    assert (entry.before, entry.after, entry.request_id) == ({}, {"run": run.pk}, request_id)


def test_asked_for_again_with_the_same_id_it_is_the_same_run(db: None, now: datetime) -> None:
    request_id = uuid4()
    runs = {
        ask_for_run("settle_breakers", actor="alma", reason="stuck", now=now, request_id=request_id).pk
        for _ in range(2)
    }
    assert len(runs) == JobRun.objects.count() == AuditEntry.objects.count() == 1


def test_an_unknown_job_and_a_missing_reason_are_refused(db: None, now: datetime) -> None:
    with pytest.raises(UnknownJob, match="there are take_health_snapshot"):
        ask_for_run("dance", actor="alma", reason="stuck", now=now)
    with pytest.raises(ValidationError, match="reason"):
        ask_for_run("settle_breakers", actor="alma", reason=" ", now=now)
    assert not JobRun.objects.exists()


def test_without_its_broker_it_says_so_and_can_be_asked_again(
    db: None, now: datetime, deaf_broker: None
) -> None:
    request_id = uuid4()
    for _ in range(2):
        with pytest.raises(BrokerAway, match="settle_breakers was not sent"):
            ask_for_run("settle_breakers", actor="alma", reason="stuck", now=now, request_id=request_id)

    run = JobRun.objects.get()
    assert run.status == "unsent"
    assert run.error.startswith("The broker does not answer")
    assert AuditEntry.objects.count() == 1
