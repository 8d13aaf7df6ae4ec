"""Annotations over the API: a deploy script writes one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.access import create_api_key
from featurememory.models import Annotation, AuditEntry
from tests.operations import bearer

PATH = "/api/v1/annotations"


def post(client: Client, key: str, body: dict[str, Any]) -> Any:
    return client.post(PATH, body, "application/json", headers=bearer(key))


@pytest.fixture
def deployer(db: Any) -> str:
    return create_api_key("deploys", ["ingest"])[1]


def test_a_deploy_is_written_once_however_often_it_is_sent(client: Client, deployer: str) -> None:
    body = {"kind": "deploy", "text": "bark 1.3", "model": "bark", "request_id": str(uuid4())}

    first, again = post(client, deployer, body), post(client, deployer, body)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["actor"] == "key deploys"
    assert Annotation.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "x", "kind": "party"}, "kind"),
        ({"text": "x", "at": "2026-11-27T10:00:00"}, "at"),
        ({"text": "x", "at": "2026-11-27T10:00:00Z", "until": "2026-11-27T09:00:00Z"}, "until"),
    ],
)
def test_what_is_wrong_is_named(client: Client, deployer: str, body: dict[str, Any], field: str) -> None:
    answer = post(client, deployer, body)

    assert answer.status_code in (400, 422)
    assert field in answer.content.decode()
    assert not Annotation.objects.exists()


def test_the_list_goes_on_where_the_page_before_ended(client: Client, deployer: str, api_key: str) -> None:
    for number in range(5):
        post(client, deployer, {"text": f"note {number}"})
    seen, cursor = list[str](), ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = client.get(PATH, {"limit": 2, **more}, headers=bearer(api_key)).json()
        seen += [each["text"] for each in answer["items"]]
        cursor = answer["next_cursor"]

    assert seen == [f"note {number}" for number in (4, 3, 2, 1, 0)]


def test_removing_takes_control_and_a_reason(client: Client, deployer: str, db: Any) -> None:
    path = f"{PATH}/{post(client, deployer, {'text': 'wrong'}).json()['id']}"
    control = create_api_key("hands", ["control"])[1]

    def delete(key: str, body: dict[str, Any]) -> int:
        return client.delete(path, body, "application/json", headers=bearer(key)).status_code

    assert delete(deployer, {"reason": "a typo"}) == 403
    assert delete(control, {}) == 422
    assert delete(control, {"reason": "a typo"}) == 204
    assert delete(control, {"reason": "a typo"}) == 404
    assert AuditEntry.objects.get(action="annotation.remove").reason == "a typo"
