"""Resources, limits and cleanup over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.access import create_api_key
from featurememory.models import AuditEntry, CleanupRun, HealthSnapshot
from featurememory.resource_management.cleanup import enforce_constraints
from featurememory.resource_management.monitor import take_sample
from tests.operations import bearer

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client) -> Ask:
    keys = {scope: create_api_key(scope, [scope])[1] for scope in ("read", "control", "ingest")}

    def asking(method: str, path: str, body: Any = None, scope: str = "read") -> Any:
        headers = bearer(keys[scope])
        if body is None:
            return client.get(f"/api/v1/{path}", headers=headers)
        return getattr(client, method)(f"/api/v1/{path}", body, "application/json", headers=headers)

    return asking


def test_what_is_used_stands_beside_its_limit(ask: Ask) -> None:
    told = ask("get", "resources").json()
    assert {each["constraint"] for each in told["readings"]} >= {"max_host_memory_percent", "max_operations"}
    assert told["usage"]["operations"] == 0
    for each in told["readings"]:
        assert each["constraint"] in each["words"]


def test_samples_are_leafed_through(ask: Ask) -> None:
    now = timezone.now()
    for seconds in range(5):
        take_sample(now - timedelta(seconds=seconds))
    first = ask("get", "resources/samples?resolution=moment&limit=3").json()
    assert len(first["items"]) == 3
    cursor = first["next_cursor"].replace("+", "%2B")
    second = ask("get", f"resources/samples?resolution=moment&limit=3&cursor={cursor}").json()
    assert (len(second["items"]), second["next_cursor"]) == (2, None)
    moments = [each["at"] for each in first["items"] + second["items"]]
    assert moments == sorted(moments, reverse=True)
    (minute, *_) = ask("get", "resources/samples?resolution=minute").json()["items"]
    assert len(minute["figures"]["host_memory_percent"]) == 3


def test_limits_are_set_as_a_whole_and_audited(ask: Ask) -> None:
    body = {
        "constraints": {"max_operations": 9_000},
        "retention": {"operations": {"days": 7}},
        "reason": "less",
    }
    assert ask("put", "constraints", body).status_code == 403
    told = ask("put", "constraints", body, "control").json()
    assert told["constraints"]["max_operations"] == 9_000
    assert told["retention"]["operations"] == {"days": 7, "megabytes": None}
    assert ask("get", "constraints").json() == told
    assert AuditEntry.objects.get(action="resources.configure").actor == "key control"
    back = ask("put", "constraints", {"reason": "as before"}, "control").json()
    assert back["constraints"]["max_operations"] == 5_000_000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"constraints": {"max_operations": "many"}}, "config.max_operations"),
        ({"constraints": {"max_joy": 1}}, "config.max_joy"),
        ({"retention": {"audit": {"days": 1}}}, "config.audit.days"),
        ({"retention": {"minutes": {"days": 500}}}, "config.hours.days"),
    ],
)
def test_a_wrong_limit_is_named_and_nothing_is_set(ask: Ask, body: dict[str, Any], field: str) -> None:
    answer = ask("put", "constraints", body | {"reason": "r"}, "control")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert not AuditEntry.objects.exists()


def test_a_cleanup_is_tried_asked_for_and_told(ask: Ask) -> None:
    HealthSnapshot.objects.create(at=timezone.now() - timedelta(days=8), status="healthy", components={})
    tried = ask("post", "cleanup", {"reason": "r", "dry_run": True}, "control").json()
    assert [(each["kind"], each["rows"]) for each in tried["would_remove"]] == [("health_snapshots", 1)]
    body = {"reason": "tidy", "request_id": str(uuid4())}
    assert ask("post", "cleanup", body).status_code == 403
    asked = ask("post", "cleanup", body, "control")
    assert (asked.status_code, asked.json()["run"]["state"]) == (202, "running")
    enforce_constraints(timezone.now())
    again = ask("post", "cleanup", body, "control").json()["run"]
    assert (again["id"], again["state"]) == (asked.json()["run"]["id"], "done")
    (run,) = ask("get", "cleanup").json()["items"]
    assert (run["removed"], run["actor"]) == ({"health_snapshots": 1}, "key control")
    assert CleanupRun.objects.count() == 1
