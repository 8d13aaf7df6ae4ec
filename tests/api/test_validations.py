"""Validators over HTTP; what the API refuses is kept, and what it takes is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from featurememory.access import create_api_key
from featurememory.api import recording
from featurememory.models import ValidationRecord, ValidationTally
from featurememory.validation.passes import PASSES
from featurememory.validation.storage import note_passes
from tests.operations import bearer

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_passed_yet() -> Iterator[None]:
    PASSES.drain()
    yield
    PASSES.drain()


@pytest.fixture
def ask(client: Client, api_key: str) -> Ask:
    def answer(method: str, path: str, body: Any = None, key: str = api_key) -> Any:
        kind = {"content_type": "application/json"} if body is not None else {}
        return getattr(client, method)(f"/api/v1/{path}", body or {}, headers=bearer(key), **kind)

    return answer


def counted() -> dict[tuple[str, str], int]:
    note_passes()
    return {
        (validator, code): count
        for validator, code, count in ValidationTally.objects.values_list("validator", "code", "count")
    }


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("pattern", [1.0, 2.0], ""),
        ("pattern", [0.0, 0.0], "zero"),
        ("optimization", {"parameters": {"steps": 20}}, ""),
        ("optimization", {"score": 2}, "missing"),
        ("resource", {"memory_mb": 10}, ""),
        ("resource", {"memory_mb": 1e6}, "max_memory_mb"),
        ("operation", {"id": "x"}, "uuid_parsing"),
    ],
)
def test_a_result_is_a_200_whether_valid_or_not_and_is_kept(
    ask: Ask, kind: str, data: Any, code: str
) -> None:
    answer = ask("post", f"validations/{kind}", {"data": data, "operation_type": "t", "space": "s"})
    assert answer.status_code == 200, answer.content
    result = answer.json()
    assert set(result) == {"is_valid", "errors", "warnings", "metadata"}
    assert result["is_valid"] == (not code)
    assert [each["code"] for each in result["errors"]][:1] == ([code] if code else [])
    assert result["metadata"]["checked"]
    assert counted() == {(kind, code): 1}
    kept = ValidationRecord.objects.get()
    assert (kept.source, kept.operation_type, kept.space, kept.code) == ("key tests", "t", "s", code)


def test_an_unknown_type_is_a_404_that_names_those_there_are(ask: Ask) -> None:
    answer = ask("post", "validations/magic", {"data": 1})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_validator")
    assert "operation, optimization, pattern, resource" in answer.json()["detail"]


def test_without_data_a_resource_is_judged_by_what_is_used(ask: Ask) -> None:
    answer = ask("post", "validations/resource", {"data": None})
    assert (answer.status_code, answer.json()["is_valid"]) == (200, True)


def test_it_takes_a_key_that_may_read(ask: Ask) -> None:
    key = create_api_key("writer", ["ingest"])[1]
    assert ask("post", "validations/pattern", {"data": [1.0]}, key).status_code == 403
    assert ask("get", "validations", key=key).status_code == 403
    assert ask("get", "validations/summary", key=key).status_code == 403
    assert not counted()


def test_the_list_is_searched_and_leafed_through(ask: Ask) -> None:
    for data in ([0.0], [], [0.0], "x"):
        ask("post", "validations/pattern", {"data": data})
    page = ask(
        "get", "validations?code=zero&limit=1&source=key tests&is_valid=false&validator=pattern"
    ).json()
    assert len(page["items"]) == 1
    rest = ask("get", f"validations?code=zero&cursor={page['next_cursor']}").json()
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    assert page["items"][0]["id"] > rest["items"][0]["id"]
    assert page["items"][0]["errors"][0]["value"] == "1 values: 0"
    later = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ask("get", f"validations?since={later}").json()["items"] == []


def test_the_summary_counts_passes_and_failures(ask: Ask) -> None:
    for data in ([0.0], [1.0], [2.0], [3.0]):
        ask("post", "validations/pattern", {"data": data})
    note_passes()
    found = ask("get", "validations/summary").json()
    assert (found["passed"], found["failed"], found["pass_rate"]) == (3, 1, 0.75)
    assert found["by_code"] == [{"validator": "pattern", "code": "zero", "failed": 1}]
    assert found["by_source"] == [{"source": "key tests", "passed": 3, "failed": 1}]
    empty = ask("get", "validations/summary?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z").json()
    assert (empty["pass_rate"], empty["by_code"]) == (None, [])
    for wrong in ("from=2020-01-01T00:00:00Z", "from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z"):
        answer = ask("get", f"validations/summary?{wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "from")


@pytest.mark.parametrize(
    ("method", "path", "body", "validator", "field"),
    [
        ("post", "patterns/recognize", {"space": "s", "features": []}, "pattern", "features"),
        (
            "post",
            "patterns/recognize",
            {"space": "s", "features": [0, 0], "learn": True},
            "pattern",
            "features",
        ),
        ("post", "recommendations", {"operation_type": "t", "baseline": 7}, "optimization", "baseline"),
        (
            "post",
            "recommendations",
            {"operation_type": "t", "baseline": {"": 1}},
            "optimization",
            "baseline",
        ),
        (
            "put",
            "breaker-configurations/default",
            {"config": {"max_failures": -1}, "reason": "y"},
            "request",
            "config.max_failures",
        ),
        (
            "post",
            "operations/00000000-0000-0000-0000-000000000000/feedback",
            {"score": 9},
            "request",
            "score",
        ),
        ("post", "recommendations", "{", "optimization", "body"),
    ],
)
def test_what_the_api_refuses_for_its_content_is_kept(
    ask: Ask, method: str, path: str, body: Any, validator: str, field: str
) -> None:
    answer = ask(method, path, body)
    assert answer.status_code in (400, 422), answer.content
    kept = ValidationRecord.objects.get()
    assert (kept.validator, kept.source, kept.is_valid) == (validator, "key tests", False)
    assert kept.errors[0]["field"] == field
    assert kept.metadata["request"].endswith(path)
    if isinstance(body, dict) and "operation_type" in body:
        assert kept.operation_type == "t"


def test_what_the_api_takes_is_counted(ask: Ask) -> None:
    body = {"space": "s", "features": [1.0, 2.0], "learn": True}
    assert ask("post", "patterns/recognize", body).status_code == 200
    assert ask("post", "recommendations", {"operation_type": "t", "baseline": {"a": 1}}).status_code == 200
    assert counted() == {("pattern", ""): 1, ("optimization", ""): 1}


def test_reading_and_missing_rights_are_no_validations(ask: Ask) -> None:
    key = create_api_key("reader", ["read"])[1]
    assert ask("get", "validations?limit=0").status_code == 422
    assert ask("post", "recommendations", {}, key).status_code == 403
    assert ask("post", "recommendations", {}, "fm_wrong").status_code == 401
    assert not counted()


def test_a_database_that_fails_changes_no_answer(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(recording, "record_one", failing)
    answer = ask("post", "recommendations", {"operation_type": "t", "baseline": 7})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "baseline")
    assert not ValidationRecord.objects.exists()
