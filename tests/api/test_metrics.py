"""The memory in a few figures, for callers and for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.models import ProcessRecord
from featurememory.observability.health_snapshot import take_snapshot
from featurememory.resource_management.monitor import take_sample
from tests.browser.scenarios import SCENARIOS
from tests.operations import bearer

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client: Client, api_key: str) -> Callable[[], Any]:
    def answer() -> Any:
        response = client.get("/api/v1/metrics", headers=bearer(api_key))
        assert response.status_code == 200, response.content
        return response.json()

    return answer


def test_without_anything_nothing_is_claimed(ask: Callable[[], Any]) -> None:
    told = ask()
    assert told["recognition_latency"] == {"p50_ms": None, "p99_ms": None, "target_ms": 50}
    assert (told["operations"], told["error_rate"], told["resource_usage"]) == (0, None, {})
    assert told["system_health"] == {"status": "unknown", "components": {}}


def test_it_tells_speed_gain_use_and_health(ask: Callable[[], Any], now: datetime) -> None:
    SCENARIOS["normal"](now)
    web = ProcessRecord.objects.get(role="web")
    web.metrics |= {"recognition_ms_p50": 0.4, "recognition_ms_p99": 1.9, "commit_ms_p50": 6.0}
    web.save()
    fast = ProcessRecord.objects.create(
        host="studio-2", pid=1, role="web", started_at=now, seen_at=now, metrics={"recognition_ms_p99": 0.2}
    )
    take_sample(now + timedelta(seconds=1))
    take_snapshot(now)
    told = ask()
    assert fast.pk
    assert told["recognition_latency"] == {"p50_ms": 0.4, "p99_ms": 1.9, "target_ms": 50}
    assert told["storage_latency"] == {"p50_ms": 6.0, "p99_ms": 18.4, "target_ms": 20}
    assert told["operations"] > 1_000
    assert 0 < told["error_rate"] < 0.1
    assert told["optimizations"]["by_status"]["promoted"] >= 1
    (faster, *_) = (
        each for each in told["optimizations"]["effectiveness"] if each["objective"] == "duration"
    )
    assert faster["lift"] > 0
    assert told["resource_usage"]["memory_mb"] == 148.0
    assert set(told["system_health"]["components"]) >= {"ingestion", "database", "jobs", "resources"}


def test_what_was_seen_too_long_ago_is_not_told(ask: Callable[[], Any]) -> None:
    long_ago = timezone.now() - timedelta(minutes=3)
    take_sample(long_ago)
    take_snapshot(long_ago)
    told = ask()
    assert told["resource_usage"] == {}
    assert told["system_health"]["status"] == "unknown"


def test_prometheus_reads_the_same(client: Client, api_key: str, now: datetime) -> None:
    SCENARIOS["normal"](now)
    take_sample(now + timedelta(seconds=1))
    told = client.get("/metrics", headers=bearer(api_key)).content.decode()
    assert 'featurememory_latency_seconds{statistic="p99",what="storage"} 0.0184' in told
    assert 'featurememory_optimization_lift{objective="duration",statistic="mean"}' in told
    assert 'featurememory_optimizations{status="promoted"}' in told
    assert 'featurememory_resource_used{constraint="max_memory_mb"} 148.0' in told
    assert 'featurememory_resource_limit{constraint="max_memory_mb"} 1024.0' in told
