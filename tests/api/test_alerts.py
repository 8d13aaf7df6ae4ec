"""Alerts, silences and rules over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.access import create_api_key
from featurememory.models import AlertEvent, AlertRule, AlertSilence, AuditEntry
from tests.alerts.alerts import stored_alert, stored_rule
from tests.operations import bearer

pytestmark = pytest.mark.django_db
ALERTS, SILENCES, RULES = "/api/v1/alerts", "/api/v1/silences", "/api/v1/alert-rules"


class Caller:
    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(path, query, headers=bearer(self._key))

    def send(self, method: str, path: str, body: object) -> Any:
        return getattr(self._client, method)(
            path, body, content_type="application/json", headers=bearer(self._key)
        )


@pytest.fixture
def caller(client: Client, api_key: str) -> Caller:
    return Caller(client, api_key)


def models_of(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [each["labels"]["model"] for each in answer.json()["items"]]


def test_open_alerts_are_listed_the_newest_first(caller: Caller, now: datetime) -> None:
    for model, state in (("a", "firing"), ("b", "acknowledged"), ("c", "pending"), ("d", "resolved")):
        stored_alert(now, model, state=state)
    assert models_of(caller.get(ALERTS)) == ["b", "a"]
    assert models_of(caller.get(ALERTS, state="all")) == ["d", "c", "b", "a"]
    assert models_of(caller.get(ALERTS, state="resolved")) == ["d"]


def test_they_are_narrowed_by_severity_name_silence_and_labels(caller: Caller, now: datetime) -> None:
    stored_alert(now, "whisper", severity="critical")
    stored_alert(now, "whisper-tiny", is_silenced=True)
    stored_alert(now, "bark", name="Breaker open")
    assert models_of(caller.get(ALERTS, severity="critical")) == ["whisper"]
    assert models_of(caller.get(ALERTS, silenced="true")) == ["whisper-tiny"]
    assert models_of(caller.get(ALERTS, name="Breaker open")) == ["bark"]
    assert models_of(caller.get(ALERTS, match=["model=~whisper.*", "severity!=critical"])) == ["whisper-tiny"]
    assert models_of(caller.get(ALERTS, match="alertname=Breaker open")) == ["bark"]


def test_a_search_goes_on_where_its_page_ended(caller: Caller, now: datetime) -> None:
    for number in range(7):
        stored_alert(now, f"{'even' if number % 2 == 0 else 'odd'}-{number}")
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "match": "model=~even.*"} | ({"cursor": cursor} if cursor else {})
        answer = caller.get(ALERTS, **query)
        seen += models_of(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == ["even-6", "even-4", "even-2", "even-0"]


def test_one_alert_comes_with_what_happened_to_it(caller: Caller, now: datetime) -> None:
    alert = stored_alert(now)
    AlertEvent.objects.create(alert=alert, kind="firing", at=now)
    found = caller.get(f"{ALERTS}/{alert.pk}").json()
    assert [each["kind"] for each in found["events"]] == ["firing"]
    assert found["value"] == 9_000.0
    missing = caller.get(f"{ALERTS}/{alert.pk + 1}")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_alert")


@pytest.mark.parametrize(
    ("act", "before", "after"),
    [
        ("acknowledge", "firing", "acknowledged"),
        ("unacknowledge", "acknowledged", "firing"),
        ("resolve", "firing", "resolved"),
        ("note", "resolved", "resolved"),
    ],
)
def test_a_key_acts_once_under_its_name(
    caller: Caller, now: datetime, act: str, before: str, after: str
) -> None:
    alert = stored_alert(now, state=before)
    body = {"note": "it is known", "request_id": str(uuid4())}

    answers = [caller.send("post", f"{ALERTS}/{alert.pk}/{act}", body) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 200]
    assert answers[1].json()["state"] == after
    assert len(answers[1].json()["events"]) == 1
    assert AuditEntry.objects.get().actor == "key tests"


def test_what_is_over_cannot_be_taken(caller: Caller, now: datetime) -> None:
    alert = stored_alert(now, state="resolved")
    refused = caller.send("post", f"{ALERTS}/{alert.pk}/acknowledge", {"note": "mine"})
    assert (refused.status_code, refused.json()["code"]) == (409, "alert_not_open")


@pytest.mark.parametrize(
    "query",
    [
        {"match": "model"}, {"match": "model=~("}, {"match": "a\0=b"}, {"cursor": 10**30}, {"cursor": -1},
        {"limit": 0}, {"state": "odd"}, {"severity": "x"}, {"name": "\0"}, {"match": ["a=b"] * 21},
    ],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    assert caller.get(ALERTS, **query).status_code == 422


def test_a_silence_is_created_covers_and_is_ended(caller: Caller, now: datetime) -> None:
    alert = stored_alert(now)
    body = {
        "matchers": [{"name": "model", "value": "whisper"}],
        "minutes": 60,
        "comment": "maintenance",
        "request_id": str(uuid4()),
    }

    created = [caller.send("post", SILENCES, body) for _ in range(2)]

    assert [each.status_code for each in created] == [201, 201]
    silence = created[0].json()
    assert (silence["is_active"], silence["covers"], silence["created_by"]) == (True, [alert.pk], "key tests")
    assert created[1].json()["id"] == silence["id"]
    assert AlertSilence.objects.count() == 1
    assert caller.get(f"{ALERTS}/{alert.pk}").json()["is_silenced"]
    assert [each["id"] for each in caller.get(SILENCES).json()["items"]] == [silence["id"]]

    ended = caller.send("delete", f"{SILENCES}/{silence['id']}", {"reason": "done"})
    assert ended.status_code == 200
    assert not ended.json()["is_active"]
    assert caller.get(SILENCES).json()["items"] == []
    assert [each["id"] for each in caller.get(SILENCES, state="over").json()["items"]] == [silence["id"]]
    assert caller.get(f"{SILENCES}/{silence['id']}").json()["ended_by"] == "key tests"
    assert caller.get(f"{SILENCES}/99999").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"matchers": []},
        {"matchers": [{"name": "a b", "value": "x"}]},
        {"matchers": [{"name": "a", "operator": "=~", "value": "("}]},
        {"matchers": [{"name": "a", "value": "\0"}]},
        {"minutes": None},
        {"minutes": 1e12},
        {"starts_at": "9999-12-31T23:59:00Z"},
        {"comment": " "},
        {"recurrence": {"weekdays": [0], "start": "22:00", "minutes": 5, "timezone": "Mars"}},
        {"recurrence": {"weekdays": [9], "start": "22:00", "minutes": 5}},
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(caller: Caller, changes: dict[str, Any]) -> None:
    body = {"matchers": [{"name": "model", "value": "x"}], "minutes": 60, "comment": "why"} | changes
    assert caller.send("post", SILENCES, body).status_code == 422
    assert not AlertSilence.objects.exists()


RULE = {
    "name": "Very slow", "kind": "threshold", "signal": "latency_p95", "condition": {"threshold": 5_000},
    "severity": "warning", "reason": "we want to know",
}  # fmt: skip


def test_a_rule_is_created_changed_and_deleted(caller: Caller) -> None:
    created = caller.send("post", RULES, RULE)
    assert created.status_code == 201, created.content
    rule = created.json()
    assert rule["condition"]["window_s"] == 300
    path = f"{RULES}/{rule['id']}"

    changed = caller.send("put", path, RULE | {"severity": "critical", "version": 1})
    assert (changed.json()["version"], changed.json()["severity"]) == (2, "critical")
    stale = caller.send("put", path, RULE | {"version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "rule_moved")
    assert caller.get(path).json() == changed.json()
    assert rule["id"] in [each["id"] for each in caller.get(RULES).json()["items"]]

    assert caller.send("delete", path, {"reason": "not needed"}).status_code == 204
    assert caller.get(path).status_code == 404
    assert AuditEntry.objects.count() == 3


def test_a_rule_that_came_along_is_not_deleted(caller: Caller, now: datetime) -> None:
    rule = stored_rule(now, shipped_as="test_rule")
    assert caller.send("delete", f"{RULES}/{rule.pk}", {"reason": "x"}).status_code == 422
    assert AlertRule.objects.filter(pk=rule.pk).exists()


def test_a_rule_is_tried_on_history_and_not_stored(caller: Caller) -> None:
    number = AlertRule.objects.count()
    body = {name: value for name, value in RULE.items() if name != "reason"} | {"days": 2}
    tried = caller.send("post", f"{RULES}/test", body)
    assert tried.status_code == 200, tried.content
    assert tried.json()["words"].startswith("There was nothing to judge by")
    assert tried.json()["threshold"] == 5_000
    assert AlertRule.objects.count() == number


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"signal": "moon_phase"}, "signal"),
        ({"kind": "burn_rate"}, "kind"),
        ({"condition": {}}, "condition.threshold"),
        ({"condition": {"threshold": 1e300}}, "condition.threshold"),
        ({"runbook_url": "javascript:alert(1)"}, "runbook_url"),
        ({"labels": {"severity": "x"}}, "labels"),
        ({"matchers": [{"name": "a", "value": "\0"}]}, "matchers[0].value"),
        ({"summary": "a\0b"}, "summary"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_its_field(
    caller: Caller, changes: dict[str, Any], field: str
) -> None:
    refused = caller.send("post", RULES, RULE | changes)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == f"config.{field}"


def test_reading_needs_read_and_acting_control(client: Client, now: datetime) -> None:
    reader = Caller(client, create_api_key("reader", ["read"])[1])
    alert, rule = stored_alert(now), stored_rule(now)
    for path in (ALERTS, f"{ALERTS}/{alert.pk}", SILENCES, RULES, f"{RULES}/{rule.pk}"):
        assert reader.get(path).status_code == 200
        assert client.get(path).status_code == 401
    for method, path in (
        ("post", f"{ALERTS}/{alert.pk}/acknowledge"), ("post", SILENCES), ("post", RULES),
        ("put", f"{RULES}/{rule.pk}"), ("delete", f"{RULES}/{rule.pk}"),
    ):  # fmt: skip
        assert reader.send(method, path, {}).status_code == 403, path


def test_a_list_costs_the_same_however_long(
    caller: Caller, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        stored_alert(now - timedelta(minutes=number), f"m{number}")
    caller.get(ALERTS)
    with django_assert_max_num_queries(2):
        assert len(models_of(caller.get(ALERTS))) == 30
