"""What is believed of each component is kept, changes once, and leaves a trace."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection

from featurememory.models import ComponentState, HealthTransition, Job, ProcessRecord
from featurememory.observability.health_snapshot import COMPONENTS, take_snapshot
from featurememory.observability.hysteresis import BETTER_FOR

SECOND = timedelta(seconds=1)


def all_run(now: datetime) -> None:
    for role in ("web", "worker", "beat"):
        ProcessRecord.objects.update_or_create(
            host="h", pid=1, role=role, started_at=now - timedelta(days=1), defaults={"seen_at": now}
        )


def moves(component: str) -> list[tuple[str, str]]:
    found = HealthTransition.objects.filter(component=component).order_by("id")
    return list(found.values_list("before", "after"))


def test_the_first_look_says_how_each_component_and_the_whole_began(db: None, now: datetime) -> None:
    all_run(now)
    take_snapshot(now)
    assert set(ComponentState.objects.values_list("name", flat=True)) == {*COMPONENTS, "all"}
    assert moves("all") == [("unknown", "healthy")]
    assert HealthTransition.objects.count() == len(COMPONENTS) + 1


def test_it_is_worse_at_once_and_better_once_it_stays_so(db: None, now: datetime) -> None:
    all_run(now)
    take_snapshot(now)
    silent = now + timedelta(seconds=40)
    assert take_snapshot(silent).components["jobs"]["status"] == "unhealthy"
    all_run(silent + SECOND)
    early = take_snapshot(silent + SECOND)
    assert early.components["jobs"]["status"] == early.status == "unhealthy"
    assert "Better since" in early.components["jobs"]["reason"]
    all_run(silent + SECOND + BETTER_FOR)
    assert take_snapshot(silent + SECOND + BETTER_FOR).status == "healthy"
    for component in ("jobs", "ingestion", "all"):
        assert moves(component) == [
            ("unknown", "healthy"),
            ("healthy", "unhealthy"),
            ("unhealthy", "healthy"),
        ]
    assert moves("breakers") == [("unknown", "healthy")]


def test_where_nobody_looked_for_a_while_nothing_is_known(db: None, now: datetime) -> None:
    all_run(now)
    take_snapshot(now)
    later = now + timedelta(hours=2)
    all_run(later)
    take_snapshot(later)
    assert moves("all") == [("unknown", "healthy"), ("healthy", "unknown"), ("unknown", "healthy")]
    lost = HealthTransition.objects.get(component="all", after="unknown")
    assert (lost.at, lost.reason) == (now, "Nobody looked for 2 h.")
    assert ComponentState.objects.get(name="all").since == later


def test_the_whole_names_what_is_worst(db: None, now: datetime) -> None:
    take_snapshot(now)
    whole = ComponentState.objects.get(name="all")
    assert whole.status == "unhealthy"
    assert "Ingestion: No web process was heard of" in whole.reason
    assert "Breakers" not in whole.reason


def test_a_look_from_before_the_last_one_changes_nothing(db: None, now: datetime) -> None:
    all_run(now)
    take_snapshot(now)
    earlier = take_snapshot(now - timedelta(seconds=5))
    assert earlier.status == "healthy"
    assert ComponentState.objects.get(name="all").checked_at == now


def test_a_component_that_is_judged_no_more_leaves(db: None, now: datetime) -> None:
    ComponentState.objects.create(name="gone", status="healthy", since=now, reason="", checked_at=now)
    take_snapshot(now)
    assert not ComponentState.objects.filter(name="gone").exists()


def test_an_overdue_job_degrades_the_jobs(db: None, now: datetime) -> None:
    all_run(now)
    for name, ago in (("merge_patterns", 2), ("settle_breakers", 0)):
        Job.objects.create(
            name=name, every_s=60, known_since=now, started_at=now - timedelta(hours=ago), result="succeeded"
        )
    jobs = take_snapshot(now).components["jobs"]
    assert jobs["status"] == "degraded"
    assert jobs["reason"] == "Merge patterns: Overdue for 119 min: it has not begun."
    assert jobs["metrics"]["overdue"] == 1


def test_a_job_that_keeps_failing_degrades_the_jobs(db: None, now: datetime) -> None:
    all_run(now)
    failed = Job.objects.create(
        name="merge_patterns", every_s=60, known_since=now, started_at=now, failures_in_a_row=1, error="X: y"
    )
    assert take_snapshot(now).components["jobs"]["status"] == "healthy"
    failed.failures_in_a_row = 2
    failed.save()
    jobs = take_snapshot(now + SECOND).components["jobs"]
    assert (jobs["status"], jobs["reason"]) == (
        "degraded",
        "Merge patterns failed 2 times in a row: X: y.",
    )


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_make_no_move_twice(now: datetime) -> None:
    all_run(now)
    take_snapshot(now)
    together, later = threading.Barrier(4), now + timedelta(seconds=40)

    def look(number: int) -> None:
        try:
            together.wait(30)
            take_snapshot(later + timedelta(milliseconds=number))
        finally:
            connection.close()

    workers = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert moves("all") == [("unknown", "healthy"), ("healthy", "unhealthy")]
    assert moves("jobs") == [("unknown", "healthy"), ("healthy", "unhealthy")]
