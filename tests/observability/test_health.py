"""Health is judged from what was seen, the worst decides, and silence is never green."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from featurememory.jobs import KEEP_PROCESSES, forget_the_old
from featurememory.models import HealthSnapshot, ProcessRecord
from featurememory.observability.health import (
    LIVE_SILENT_S,
    RESTARTED_WITHIN,
    SEEN_WITHIN,
    PatternsSeen,
    ProcessSeen,
    Status,
    judge_breakers,
    judge_database,
    judge_ingestion,
    judge_jobs,
    judge_live_bus,
    judge_pattern_index,
    judge_processes,
    judge_schedule,
    overall,
)
from featurememory.observability.health_snapshot import COMPONENTS, STALE_AFTER, take_snapshot
from featurememory.scheduling.due import JobSeen
from tests.operations import bearer

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PROCESSES = {"web": "host:1", "worker": "host:2", "beat": "host:2"}


def seen(role: str = "web", ago: timedelta = timedelta(), **changes: Any) -> ProcessSeen:
    started_at = changes.pop("started_at", NOW - timedelta(days=1))
    metrics = {"queue_depth": 0, "queue_limit": 100, "commit_ms_p99": 3.0} | changes.pop("metrics", {})
    return ProcessSeen(
        role,
        PROCESSES[role],
        started_at,
        NOW - ago,
        changes.get("restarts", 0),
        changes.get("last_exit", ""),
        metrics,
    )


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.UNHEALTHY),
        ([Status.HEALTHY], Status.HEALTHY),
        ([Status.HEALTHY, Status.DEGRADED], Status.DEGRADED),
        ([Status.DEGRADED, Status.UNHEALTHY, Status.HEALTHY], Status.UNHEALTHY),
    ],
)
def test_the_worst_component_decides_the_whole(statuses: list[Status], expected: Status) -> None:
    assert overall(statuses) is expected


@pytest.mark.parametrize(
    ("metrics", "expected", "said"),
    [
        ({}, Status.HEALTHY, "as they come"),
        ({"commit_ms_p99": None}, Status.HEALTHY, "as they come"),
        ({"queue_depth": 49}, Status.HEALTHY, "as they come"),
        ({"queue_depth": 50}, Status.DEGRADED, "50% full"),
        ({"queue_depth": 90}, Status.UNHEALTHY, "90% full"),
        ({"commit_ms_p99": 250.0}, Status.DEGRADED, "250 ms"),
        ({"commit_ms_p99": 2_000.0}, Status.UNHEALTHY, "2,000 ms"),
        ({"commit_ms_p99": 2_000.0, "queue_depth": 60}, Status.UNHEALTHY, "2,000 ms"),
    ],
)
def test_ingestion_is_judged_by_its_queue_and_its_commits(
    metrics: dict[str, Any], expected: Status, said: str
) -> None:
    judged = judge_ingestion([seen(), seen(metrics=metrics)], NOW)
    assert judged.status is expected
    assert said in judged.reason


def test_ingestion_without_a_living_web_process_is_unhealthy() -> None:
    gone = seen(ago=SEEN_WITHIN + timedelta(seconds=1))
    assert judge_ingestion([gone, seen("worker")], NOW).status is Status.UNHEALTHY
    assert judge_ingestion([seen(ago=SEEN_WITHIN)], NOW).status is Status.HEALTHY


def test_a_web_process_whose_writer_has_not_begun_is_no_trouble() -> None:
    silent = ProcessSeen("web", "host:1", NOW, NOW, 0, "", {})
    assert judge_ingestion([silent], NOW).status is Status.HEALTHY


def test_a_database_that_takes_no_writes_is_unhealthy_and_says_why() -> None:
    judged = judge_database(None, "disk full", None)
    assert judged.status is Status.UNHEALTHY
    assert "disk full" in judged.reason


def test_a_slow_write_degrades_the_database() -> None:
    assert judge_database(1.0, "", 1).status is Status.HEALTHY
    assert judge_database(2_000.0, "", 1).status is Status.DEGRADED


def test_all_processes_running_is_healthy() -> None:
    assert judge_processes([seen(role) for role in PROCESSES], NOW).status is Status.HEALTHY


@pytest.mark.parametrize("missing", PROCESSES)
def test_a_process_not_heard_of_is_named(missing: str) -> None:
    late = SEEN_WITHIN + timedelta(seconds=1)
    processes = [seen(role, late if role == missing else timedelta()) for role in PROCESSES]
    judged = judge_processes(processes, NOW)
    assert judged.status is Status.UNHEALTHY
    assert missing in judged.reason


def test_what_has_just_been_started_is_given_time_to_come() -> None:
    young = NOW - SEEN_WITHIN
    judged = judge_processes([seen("web", started_at=young)], NOW)
    assert (judged.status, judged.reason) == (Status.DEGRADED, "Starting: worker and beat not heard of yet.")
    older = seen("web", started_at=young - timedelta(seconds=1))
    assert judge_processes([older], NOW).status is Status.UNHEALTHY


def test_a_restart_is_seen_for_a_while_with_how_the_last_one_ended() -> None:
    others = [seen("worker"), seen("beat")]
    fresh = seen("web", restarts=2, last_exit="killed by SIGKILL", started_at=NOW - RESTARTED_WITHIN)
    judged = judge_processes([fresh, *others], NOW)
    assert judged.status is Status.DEGRADED
    assert "2 times" in judged.reason
    assert "SIGKILL" in judged.reason
    settled = seen("web", restarts=2, started_at=NOW - RESTARTED_WITHIN - timedelta(seconds=1))
    assert judge_processes([settled, *others], NOW).status is Status.HEALTHY


def test_a_process_with_two_roles_that_was_restarted_counts_once_by_its_first_role() -> None:
    again = {"restarts": 1, "last_exit": "killed by SIGKILL"}
    beat = seen("beat", started_at=NOW, **again)
    worker = seen("worker", started_at=NOW - timedelta(milliseconds=5), **again)
    for processes in ([seen("web"), worker, beat], [beat, worker, seen("web")]):
        judged = judge_processes(processes, NOW)
        assert judged.reason.startswith("worker host:2 had to be started again, once so far")
        assert judged.metrics == {"living": 2, "restarts": 1}


@pytest.mark.parametrize(
    ("states", "expected", "said"),
    [
        ({}, Status.HEALTHY, "None yet"),
        ({"closed": 3}, Status.HEALTHY, "All closed."),
        ({"closed": 3, "disabled": 2}, Status.HEALTHY, "2 breakers are disabled; the others are closed."),
        ({"disabled": 1}, Status.HEALTHY, "1 breaker is disabled."),
        ({"metrics_only": 1}, Status.HEALTHY, "None refuses calls."),
        ({"open": 1, "disabled": 1}, Status.DEGRADED, "1 breaker refuses calls; 1 breaker is disabled."),
        ({"closed": 3, "open": 1}, Status.DEGRADED, "1 breaker refuses"),
        ({"forced_open": 1, "open": 1}, Status.DEGRADED, "2 breakers refuse"),
        ({"half_open": 1}, Status.DEGRADED, "1 breaker is probing"),
    ],
)
def test_breakers_are_judged_by_how_many_refuse(states: dict[str, int], expected: Status, said: str) -> None:
    judged = judge_breakers(states)
    assert judged.status is expected
    assert said in judged.reason


def test_news_that_come_late_degrade_the_live_bus() -> None:
    assert judge_live_bus("Redis", "", [seen()], NOW).status is Status.HEALTHY
    assert judge_live_bus("Redis", "refused", [seen()], NOW).status is Status.DEGRADED


def test_a_web_process_that_looks_for_news_no_more_is_unhealthy() -> None:
    deaf = seen(metrics={"live_silent_s": LIVE_SILENT_S})
    judged = judge_live_bus("Redis", "", [seen(), deaf], NOW)
    assert (judged.status, judged.reason) == (Status.UNHEALTHY, "Nobody has looked for live news for 15 s.")
    long_gone = seen(ago=SEEN_WITHIN + timedelta(seconds=1), metrics={"live_silent_s": 99.0})
    assert judge_live_bus("Redis", "", [seen(), long_gone], NOW).status is Status.HEALTHY


def test_a_snapshot_holds_every_component_with_its_reason(db: None, now: datetime) -> None:
    for role in PROCESSES:
        ProcessRecord.objects.create(host="h", pid=1, role=role, started_at=now, seen_at=now)
    snapshot = take_snapshot(now)
    assert set(snapshot.components) == set(COMPONENTS)
    assert all(each["reason"] for each in snapshot.components.values())
    assert snapshot.components["database"]["metrics"]["size_bytes"] > 0
    assert snapshot.status == "healthy", snapshot.components


def test_the_same_moment_is_written_down_once(db: None, now: datetime) -> None:
    take_snapshot(now)
    take_snapshot(now)
    assert HealthSnapshot.objects.count() == 1


def test_the_api_never_shows_green_without_a_fresh_snapshot(
    client: Client, api_key: str, now: datetime
) -> None:
    def asked() -> Any:
        return client.get("/api/v1/health", headers=bearer(api_key)).json()

    assert asked() == {"status": "unknown", "checked_at": None, "components": {}}
    snapshot = HealthSnapshot.objects.create(at=now, status="healthy", components={})
    assert asked()["status"] == "healthy"
    snapshot.at = now - STALE_AFTER - timedelta(seconds=1)
    snapshot.save()
    assert asked()["status"] == "unknown"


def test_processes_that_are_long_gone_are_forgotten(db: None, now: datetime) -> None:
    for age in (timedelta(), KEEP_PROCESSES + timedelta(minutes=1)):
        ProcessRecord.objects.create(host="h", pid=1, role="web", started_at=now - age, seen_at=now - age)
    forget_the_old()
    assert ProcessRecord.objects.count() == 1


def test_a_process_that_answers_is_alive_and_ready(client: Client, db: None) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.post("/healthz").status_code == 405


@pytest.mark.parametrize(
    ("patterns", "waiting", "metrics", "expected", "said"),
    [
        ({}, {}, {}, Status.HEALTHY, "No feature space yet."),
        ({"a": 3, "b": 4}, {"c": 17}, {}, Status.HEALTHY, "7 patterns in 2 spaces; 1 waiting"),
        ({"a": 10}, {}, {}, Status.HEALTHY, "1 full, where the least useful patterns make room"),
        (
            {"a": 1, "b": 1, "c": 1},
            {"d": 0},
            {},
            Status.DEGRADED,
            "4 feature spaces, as many as there may be",
        ),
        ({"a": 1}, {}, {"recognition_ms_p99": 49.0}, Status.HEALTHY, "1 patterns"),
        ({"a": 1}, {}, {"recognition_ms_p99": 51.0}, Status.DEGRADED, "Recognition takes up to 51 ms."),
    ],
)
def test_the_pattern_index_is_judged_by_its_room_and_its_speed(
    patterns: dict[str, int], waiting: dict[str, int], metrics: dict[str, Any], expected: Status, said: str
) -> None:
    judged = judge_pattern_index(PatternsSeen(patterns, waiting, 4, 10), [seen(metrics=metrics)], NOW)
    assert judged.status is expected
    assert said in judged.reason


def test_all_jobs_overdue_is_unhealthy_and_only_the_first_are_named() -> None:
    late = [JobSeen(f"job_{number}", timedelta(seconds=5), NOW - timedelta(hours=1)) for number in range(5)]
    judged = judge_schedule(late, NOW)
    assert judged.status is Status.UNHEALTHY
    assert judged.reason.endswith("And 2 more.")


def test_jobs_are_as_bad_as_the_worse_of_those_that_run_them_and_themselves() -> None:
    late = [JobSeen("settle", timedelta(seconds=5), NOW - timedelta(hours=1))]
    running = [seen(role) for role in PROCESSES]
    assert judge_jobs(running, [], NOW).status is Status.HEALTHY
    assert judge_jobs(running, late, NOW).reason == "Settle: Overdue for 60 min: it never began."
    assert judge_jobs([], late, NOW).reason.startswith(
        "Not heard of for 30 s: web and worker and beat. Settle:"
    )
