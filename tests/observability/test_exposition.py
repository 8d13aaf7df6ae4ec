"""/metrics tells Prometheus what the database holds, to those who may know."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from featurememory.access import create_api_key
from featurememory.circuit_breaker.commands import Order, force_open_breaker, release_breaker, reset_breaker
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.circuit_breaker.events import Kind
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.ingestion.operations import Sender
from featurememory.ingestion.receive import intake
from featurememory.ingestion.transaction import Submission
from featurememory.models import Breaker, BreakerEvent, HealthSnapshot, Job, ProcessRecord
from featurememory.observability.exposition import BOUNDS_S
from featurememory.observability.health_snapshot import STALE_AFTER
from tests.operations import bearer, operation, store
from tests.servers import program

NASTY = 'quotes " back\\slash žluť'


def scraped(client: Client, key: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by (name, labels)."""
    text = client.get("/metrics", headers=bearer(key)).content.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**named: str) -> frozenset[tuple[str, str]]:
    return frozenset(named.items())


def fill(now: datetime) -> None:
    """Some of everything that has a family."""
    store(
        intake(),
        *[operation(operation_type=NASTY, model="m", duration_ms=each) for each in (0.5, 30, 70_000)],
        *[operation(operation_type="plain", model="", outcome="error") for _ in range(5)],
        operation(operation_type=NASTY, model="m", outcome="rejected", duration_ms=1),
    )
    intake().writer.submit(Submission([], Sender(instance="i", sdk="x", dropped=7))).result(30)
    ProcessRecord.objects.create(
        host="h", pid=1, role="web", started_at=now, seen_at=now,
        metrics={"queue_depth": 3, "queue_limit": 9, "refused": 2, "streams": 1, "commit_ms_p50": 4.0},
    )  # fmt: skip
    HealthSnapshot.objects.create(
        at=now, status="degraded", components={"jobs": {"status": "degraded", "reason": "", "metrics": {}}}
    )
    Job.objects.create(
        name="shear",
        every_s=5,
        known_since=now,
        started_at=now - timedelta(minutes=2),
        succeeded_at=now,
        failures=4,
    )
    Job.objects.create(name="count_sheep", every_s=5, known_since=now)


def test_each_family_says_what_is_stored(
    transactional_db: None, client: Client, api_key: str, now: datetime
) -> None:
    fill(now)
    force_open_breaker("plain", Order("ann", "maintenance"))
    found = scraped(client, api_key)

    def value(name: str, /, **named: str) -> float:
        return found["featurememory_" + name, labels(**named)]

    assert value("operations_total", operation_type=NASTY, model="m", outcome="success") == 3
    assert value("operations_total", operation_type=NASTY, model="m", outcome="rejected") == 1
    assert value("operations_total", operation_type="plain", model="", outcome="error") == 5
    assert value("operation_duration_seconds_count", operation_type=NASTY, model="m") == 3
    assert value("operation_duration_seconds_sum", operation_type=NASTY, model="m") == pytest.approx(70.0305)
    assert value("operation_duration_seconds_bucket", operation_type=NASTY, model="m", le="0.05") == 2
    assert value("operation_duration_seconds_bucket", operation_type=NASTY, model="m", le="+Inf") == 3
    assert value("ingestion_queue_operations", process="h:1") == 3
    assert value("ingestion_refused_operations_total", process="h:1") == 2
    assert value("ingestion_commit_seconds", process="h:1", statistic="p50") == 0.004
    assert value("live_streams", process="h:1") == 1
    assert value("sdk_dropped_operations_total") == 7
    assert value("senders") == 1
    assert value("series", kind="all") == 2
    assert value("health_status", component="jobs", status="degraded") == 1
    assert value("health_status", component="all", status="healthy") == 0
    assert value("job_last_success_timestamp_seconds", job="shear") == pytest.approx(now.timestamp())
    assert ("featurememory_job_last_success_timestamp_seconds", labels(job="count_sheep")) not in found
    assert (value("job_failures_total", job="shear"), value("job_failures_total", job="count_sheep")) == (
        4,
        0,
    )
    assert (value("job_overdue", job="shear"), value("job_overdue", job="count_sheep")) == (1, 0)


def test_buckets_rise_and_end_with_the_count(transactional_db: None, client: Client, api_key: str) -> None:
    store(intake(), *[operation(duration_ms=1.7**n) for n in range(25)])
    found = scraped(client, api_key)
    name = "featurememory_operation_duration_seconds_bucket"
    place = {"operation_type": "text_to_audio", "model": "audioldm"}
    counts = [found[name, labels(**place, le=str(float(bound)))] for bound in BOUNDS_S]
    counts.append(found[name, labels(**place, le="+Inf")])
    assert counts == sorted(counts)
    assert counts[-1] == found["featurememory_operation_duration_seconds_count", labels(**place)] == 25


def test_promtool_finds_nothing_to_say_about_any_family(
    transactional_db: None, client: Client, api_key: str, now: datetime
) -> None:
    fill(now)
    client.get("/healthz")
    text = client.get("/metrics", headers=bearer(api_key)).content
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_health_nobody_evaluates_any_more_is_unknown(
    db: None, client: Client, api_key: str, now: datetime
) -> None:
    HealthSnapshot.objects.create(
        at=now - STALE_AFTER - timedelta(seconds=1),
        status="healthy",
        components={"jobs": {"status": "healthy", "reason": "", "metrics": {}}},
    )
    found = scraped(client, api_key)
    for component in ("all", "jobs"):
        place = {"component": component}
        assert found["featurememory_health_status", labels(**place, status="healthy")] == 0
        assert found["featurememory_health_status", labels(**place, status="unknown")] == 1


def test_a_process_that_is_gone_is_no_longer_shown(db: None, client: Client, api_key: str) -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    ProcessRecord.objects.create(host="gone", pid=1, role="web", started_at=long_ago, seen_at=long_ago)
    text = client.get("/metrics", headers=bearer(api_key)).content.decode()
    assert "gone:1" not in text


def test_an_empty_database_has_every_family_too(db: None, client: Client, api_key: str) -> None:
    text = client.get("/metrics", headers=bearer(api_key)).content.decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {
        "featurememory_operations",
        "featurememory_operation_duration_seconds",
        "featurememory_circuitbreaker_state",
        "featurememory_ingestion_queue_operations",
        "featurememory_sdk_dropped_operations",
        "featurememory_health_status",
    } <= names


def breaker_families(found: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> dict[str, float]:
    """What is said of the breaker `t:m`, by family and the values of its other labels."""
    prefix, told = "featurememory_circuitbreaker_", {}
    for (name, pairs), number in found.items():
        others = sorted(pairs - labels(name="t:m"))
        if name.startswith(prefix) and len(others) < len(pairs):
            told[" ".join([name.removeprefix(prefix), *(value for _, value in others)])] = number
    return told


def test_breakers_are_told_of_in_the_manner_of_resilience4j(
    transactional_db: None, client: Client, api_key: str
) -> None:
    configure(Scope.DEFAULT, "", {"slow_call_duration_ms": 50}, actor="ann", reason="a test")
    for outcome, duration_ms, times in (
        ("success", 1, 18),
        ("error", 1, 1),
        ("success", 90, 2),
        ("error", 90, 1),
        ("cancelled", 1, 3),
        ("rejected", 0, 4),
    ):
        told = {"outcome": outcome, "duration_ms": duration_ms}
        store(intake(), *[operation(operation_type="t", model="m", **told) for _ in range(times)])
    force_open_breaker("t:m", Order("ann", "maintenance"))
    release_breaker("t:m", Order("ann", "done"))

    assert breaker_families(scraped(client, api_key)) == {
        "state closed": 1,
        "state open": 0,
        "state half_open": 0,
        "state forced_open": 0,
        "state disabled": 0,
        "state metrics_only": 0,
        "calls_total successful": 20,
        "calls_total failed": 2,
        "calls_total ignored": 3,
        "slow_calls_total successful": 2,
        "slow_calls_total failed": 1,
        "not_permitted_calls_total": 4,
        "buffered_calls successful": 20,
        "buffered_calls failed": 2,
        "failure_rate": pytest.approx(100 * 2 / 22),
        "slow_call_rate": pytest.approx(100 * 3 / 22),
        "transitions_total closed forced_open": 1,
        "transitions_total forced_open closed": 1,
    }


def test_a_rate_of_too_few_calls_is_minus_one(transactional_db: None, client: Client, api_key: str) -> None:
    store(intake(), *[operation(operation_type="t", model="m", outcome="error") for _ in range(4)])

    found = breaker_families(scraped(client, api_key))

    assert (found["failure_rate"], found["slow_call_rate"], found["buffered_calls failed"]) == (-1, -1, 4)


def test_a_hold_that_is_over_is_no_longer_told_of(
    transactional_db: None, client: Client, api_key: str
) -> None:
    store(intake(), operation(operation_type="t", model="m"))
    soon = timezone.now() + timedelta(minutes=5)
    force_open_breaker("t:m", Order("ann", "a moment", until=soon))

    assert breaker_families(scraped(client, api_key))["state forced_open"] == 1
    with time_machine.travel(soon + timedelta(seconds=1), tick=False):
        assert breaker_families(scraped(client, api_key))["state closed"] == 1


def transitions_told(client: Client, key: str) -> float:
    found = scraped(client, key)
    return sum(
        value
        for (name, _), value in found.items()
        if name == "featurememory_circuitbreaker_transitions_total"
    )


def test_no_change_of_state_is_uncounted_when_its_event_or_its_breaker_goes(
    transactional_db: None, client: Client, api_key: str
) -> None:
    fleet, now = Fleet(max_breakers=1), timezone.now().timestamp()

    def tell(name: str, kind: Kind, times: int) -> None:
        with transaction.atomic():
            fleet.observe({name: BreakerResults("t", name, [Result(now, now, kind, 0.0)] * times)}, now)

    tell("old", "failure", 5)
    reset_breaker("old", Order("ann", "fixed"))
    assert transitions_told(client, api_key) == 2
    BreakerEvent.objects.all().delete()
    assert transitions_told(client, api_key) == 2
    tell("new", "success", 1)
    assert list(Breaker.objects.values_list("name", flat=True)) == ["new"]
    assert transitions_told(client, api_key) == 2
    tell("new", "failure", 5)
    assert transitions_told(client, api_key) == 3


def test_a_scrape_costs_as_many_queries_with_many_series_as_with_few(
    transactional_db: None, client: Client, api_key: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/metrics", headers=bearer(api_key))
        return len(captured)

    store(intake(), operation())
    queries()
    few = queries()
    store(intake(), *[operation(model=f"m{n}") for n in range(40)])
    assert queries() == few


def test_metrics_need_a_key_that_may_read(db: None, client: Client, api_key: str) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer("fm_wrong")).status_code == 401
    ingest = create_api_key("sender", ["ingest"])[1]
    assert client.get("/metrics", headers=bearer(ingest)).status_code == 403
    assert client.get("/metrics", headers=bearer(api_key)).status_code == 200
    assert client.post("/metrics", headers=bearer(api_key)).status_code == 405


def test_a_listed_address_needs_no_key(db: None, client: Client, settings: Any) -> None:
    settings.CONFIGURATION = replace(django_settings.CONFIGURATION, metrics_addresses=("10.1.2.3",))
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.4").status_code == 401


def test_a_forwarded_address_is_not_believed(db: None, client: Client, settings: Any) -> None:
    settings.CONFIGURATION = replace(django_settings.CONFIGURATION, metrics_addresses=("10.1.2.3",))
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 401


def test_a_refusal_is_a_problem(db: None, client: Client) -> None:
    answer = client.get("/metrics")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert "read" in answer.json()["detail"]


SHARED = """
import django
django.setup()
from prometheus_client import CollectorRegistry, generate_latest
from featurememory.observability.exposition import MemoryCollector
registry = CollectorRegistry()
registry.register(MemoryCollector())
print(generate_latest(registry).decode(), end="")
"""


def test_two_processes_tell_the_same(transactional_db: None, client: Client, now: datetime) -> None:
    fill(now)
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = "postgres://{USER}@{HOST}:{PORT}/{NAME}".format(**database)
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "featurememory.settings"}
    told = [
        subprocess.run(
            [sys.executable, "-c", SHARED], env=environment, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert b'featurememory_operations_total{model="m"' in told[0]
