"""Health over the API: since when, how it was, and a look at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from featurememory.access import create_api_key
from featurememory.models import HealthTransition
from featurememory.observability.health_snapshot import COMPONENTS, take_snapshot
from tests.operations import bearer


def asked(client: Client, key: str, path: str = "") -> Any:
    return client.get(f"/api/v1/health{path}", headers=bearer(key)).json()


def test_each_component_says_since_when(client: Client, api_key: str, now: datetime) -> None:
    take_snapshot(now - timedelta(seconds=15))
    take_snapshot(now)
    found = asked(client, api_key)
    assert set(found["components"]) == set(COMPONENTS)
    since = {datetime.fromisoformat(each["since"]) for each in found["components"].values()}
    assert all(abs(each - (now - timedelta(seconds=15))) < timedelta(milliseconds=1) for each in since)


def test_the_history_is_paged_newest_first(client: Client, api_key: str, now: datetime) -> None:
    for number in range(5):
        HealthTransition.objects.create(
            component="jobs" if number % 2 else "all", before="healthy", after="degraded", reason=str(number), at=now
        )  # fmt: skip
    first = asked(client, api_key, "/history?limit=3")
    rest = asked(client, api_key, f"/history?limit=3&cursor={first['next_cursor']}")
    assert [each["reason"] for each in first["items"] + rest["items"]] == ["4", "3", "2", "1", "0"]
    assert rest["next_cursor"] is None
    only = asked(client, api_key, "/history?component=jobs")
    assert [each["reason"] for each in only["items"]] == ["3", "1"]


def test_a_look_at_once_answers_with_what_it_saw(client: Client, api_key: str, now: datetime) -> None:
    answer = client.post("/api/v1/health/check", headers=bearer(api_key))
    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["checked_at"]) >= now
    assert answer.json()["components"]["ingestion"]["status"] == "unhealthy"


def test_it_takes_the_scope(client: Client, db: None) -> None:
    _, reader = create_api_key("reader", ["read"])
    assert client.post("/api/v1/health/check", headers=bearer(reader)).status_code == 403
