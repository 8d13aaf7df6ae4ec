"""Alerts go to a real Alertmanager and come from it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.labels import fingerprint
from featurememory.alerts.planning import plan_deliveries
from featurememory.alerts.receiving import NOT_HEARD, expire_external
from featurememory.alerts.refreshing import refresh_alertmanagers
from featurememory.models import Alert, AlertChannel, AlertDelivery, AlertSilence
from tests.alerts.rows import alert, channel, over, route
from tests.alerts.sink import Sink
from tests.servers import running_alertmanager, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/alerts/alertmanager"


@dataclass
class Running:
    url: str

    def alerts(self) -> list[Any]:
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=10) as answer:
            found: list[Any] = json.load(answer)
            return found

    def post(self, *alerts: dict[str, Any]) -> None:
        asked = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(asked, timeout=10).close()


@pytest.fixture
def alertmanager(live_server: Any, api_key: str, tmp_path: Path, local_targets: None) -> Iterator[Running]:
    with running_alertmanager(tmp_path, f"{live_server.url}{URL}", api_key) as url:
        yield Running(url)


def test_it_shows_ours_while_they_fire_and_not_when_they_are_over(alertmanager: Running) -> None:
    now = timezone.now()
    route(channel(now, "am", "alertmanager", url=alertmanager.url))
    row = alert(now, "Breaker open")
    alert(now, "Quiet", is_silenced=True)
    plan_deliveries(now)
    deliver_due(now)
    assert AlertDelivery.objects.get().state == "delivered", AlertDelivery.objects.get().error

    (shown,) = wait_until(alertmanager.alerts, "the alert's arrival")
    assert shown["labels"] == {"alertname": "Breaker open", "breaker": "audioldm", "severity": "critical"}
    assert shown["annotations"]["summary"] == "Breaker open: it refuses calls"
    until = datetime.fromisoformat(shown["endsAt"])
    assert timedelta(minutes=4) < until - now < timedelta(minutes=6)

    over(row, timezone.now())
    plan_deliveries(now + timedelta(seconds=5))
    deliver_due(now + timedelta(seconds=5))
    wait_until(lambda: not alertmanager.alerts(), "the alert's end")


def test_what_still_fires_is_told_again_each_minute_without_a_delivery(alertmanager: Running) -> None:
    now = timezone.now()
    to = channel(now, "am", "alertmanager", url=alertmanager.url)
    route(to)
    row = alert(now)
    plan_deliveries(now)
    deliver_due(now)

    rounds = [refresh_alertmanagers(now + timedelta(seconds=each)) for each in (0, 5, 59, 60, 65)]

    assert rounds == [1, 0, 0, 1, 0]
    assert AlertDelivery.objects.count() == 1
    assert AlertChannel.objects.get().refresh_error == ""
    row.is_silenced = True
    row.save()
    assert refresh_alertmanagers(now + timedelta(minutes=5)) == 0


def test_one_that_does_not_answer_is_said_to_at_its_channel(sink: Sink, now: datetime) -> None:
    sink.answer = lambda post: (500, {}, b"")
    route(channel(now, "am", "alertmanager", url=sink.url))
    alert(now)
    plan_deliveries(now)

    refresh_alertmanagers(now)

    assert AlertChannel.objects.get().refresh_error == "It answered 500 Internal Server Error."


def test_its_webhook_makes_one_alert_and_its_resolve_closes_it(alertmanager: Running) -> None:
    begun = timezone.now() - timedelta(minutes=3)
    told = {
        "labels": {"alertname": "DiskFull", "host": "gpu-1", "severity": "page"},
        "annotations": {"summary": "Disk is full", "runbook_url": "https://runbooks.example.com/disk"},
        "startsAt": begun.isoformat(),
        "generatorURL": "http://prometheus.example.com/graph",
    }
    alertmanager.post(told)

    row = wait_until(Alert.objects.first, "the alert's arrival")

    assert (row.source, row.name, row.severity, row.state) == (
        "alertmanager",
        "DiskFull",
        "critical",
        "firing",
    )
    assert row.summary == "Disk is full"
    assert row.labels == {"host": "gpu-1", "severity": "page"}
    assert row.started_at == begun
    alertmanager.post(told | {"endsAt": timezone.now().isoformat()})
    wait_until(lambda: Alert.objects.filter(state="resolved").exists(), "its end")
    assert Alert.objects.count() == 1
    assert [each.kind for each in row.events.all()] == ["resolved", "firing"]


def heard(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "host": "gpu-1"},
        "annotations": {"summary": "Disk is full", "description": "no room"},
        "startsAt": "2026-01-01T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "javascript:alert(1)",
        "fingerprint": "abcd",
        "somethingNew": 1,
    } | changes


def post(key: str, *alerts: dict[str, Any], **changes: Any) -> Any:
    body = {"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "alerts": alerts, "receiver": "x"}
    answer = Client().post(
        URL, json.dumps(body | changes), "application/json", headers={"Authorization": f"Bearer {key}"}
    )
    return answer.status_code, answer.json()


def test_posted_twice_it_makes_one_alert(api_key: str) -> None:
    first = post(api_key, heard(), truncatedAlerts=3)
    again = post(api_key, heard(annotations={"summary": "Disk is fuller"}), heard())

    assert first[0] == 200
    assert (first[1]["opened"], first[1]["truncated_alerts"]) == (1, 3)
    assert (again[1]["opened"], again[1]["updated"]) == (0, 2)
    row = Alert.objects.get()
    assert (row.severity, row.generator_url, row.ends_at) == ("warning", "", None)
    assert row.fingerprint == fingerprint("alertmanager", "DiskFull", {"host": "gpu-1"})


def test_an_acknowledgement_survives_and_the_end_closes_it(api_key: str) -> None:
    post(api_key, heard())
    Alert.objects.update(state="acknowledged", acknowledged_by="anna")

    post(api_key, heard())
    assert Alert.objects.get().state == "acknowledged"
    post(api_key, heard(status="resolved", endsAt="2026-01-01T11:00:00Z"))

    row = Alert.objects.get()
    assert (row.state, row.acknowledged_by) == ("resolved", "anna")
    assert row.resolved_at == datetime.fromisoformat("2026-01-01T11:00:00+00:00")


def test_only_a_newer_beginning_opens_it_again(api_key: str) -> None:
    post(api_key, heard())
    post(api_key, heard(status="resolved", endsAt="2026-01-01T11:00:00Z"))

    same = post(api_key, heard())[1]
    older = post(api_key, heard(startsAt="2026-01-01T09:00:00Z"))[1]
    newer = post(api_key, heard(startsAt="2026-01-01T12:00:00Z"))[1]
    stale_end = post(api_key, heard(status="resolved"))[1]

    assert [each["unchanged"] for each in (same, older, newer, stale_end)] == [1, 1, 0, 1]
    assert newer["opened"] == 1
    assert list(Alert.objects.order_by("pk").values_list("state", flat=True)) == ["resolved", "firing"]


def test_one_that_is_not_heard_of_any_more_is_closed_and_comes_back_when_it_is(
    api_key: str, now: datetime
) -> None:
    post(api_key, heard())
    post(api_key, heard(labels={"alertname": "Soon"}, endsAt=(now + timedelta(minutes=5)).isoformat()))

    assert expire_external(now + timedelta(minutes=4)) == 0
    assert expire_external(now + timedelta(minutes=6)) == 1
    assert expire_external(now + timedelta(hours=24, minutes=1)) == 1
    assert Alert.objects.get(name="Soon").events.first().note == NOT_HEARD  # type: ignore[union-attr]
    assert post(api_key, heard())[1]["opened"] == 1


def test_under_a_silence_it_is_silent_from_its_beginning(api_key: str, now: datetime) -> None:
    AlertSilence.objects.create(
        matchers=[{"name": "alertname", "operator": "=", "value": "DiskFull"}],
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=1),
        comment="moving",
        created_by="anna",
        created_at=now,
    )

    post(api_key, heard(), heard(labels={"alertname": "Other"}))

    assert list(Alert.objects.order_by("name").values_list("is_silenced", flat=True)) == [True, False]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": [heard(startsAt="soon")]}, "alerts.0.startsAt"),
        ({"alerts": [heard(labels={"a": "\0"})]}, "alerts.0.labels.a"),
        ({"alerts": [heard(status="odd")]}, "alerts.0.status"),
    ],
)
def test_what_is_wrong_is_named(api_key: str, changes: dict[str, Any], field: str) -> None:
    status, problem = post(api_key, **changes)

    assert status == 422
    assert field in [each["field"] for each in problem["errors"]]


def test_a_key_that_only_reads_may_not(db: Any) -> None:
    from featurememory.access import create_api_key

    key = create_api_key("reader", ["read"])[1]

    assert post(key, heard())[0] == 403
    assert post("", heard())[0] == 401
    assert not Alert.objects.exists()
