"""Whatever is refused is refused in one shape: problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from featurememory.models import HealthSnapshot
from tests.operations import bearer, post

pytestmark = pytest.mark.django_db(transaction=True)
ZERO = "00000000-0000-0000-0000-000000000000"


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(problem)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize("path", ["operations", f"operations/{ZERO}", "breakers", "breakers/x", "health"])
def test_no_key_is_a_401_that_says_how_to_get_one(client: Client, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    problem = check(answer, 401, "unauthorized")
    assert answer["WWW-Authenticate"] == 'Bearer realm="Feature Memory"'
    assert "createapikey NAME --scope read" in problem["detail"]


@pytest.mark.parametrize(
    "path", ["", "nothing", "operations/", "operations/not-a-uuid", "breakers/", "health/x"]
)
def test_an_address_that_leads_nowhere_is_a_404_problem(client: Client, api_key: str, path: str) -> None:
    check(client.get(f"/api/v1/{path}", headers=bearer(api_key)), 404, "not_found")
    check(client.post(f"/api/v1/{path}", headers=bearer(api_key)), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("delete", "operations", "GET, POST"),
        ("post", f"operations/{ZERO}", "GET"),
        ("delete", "breakers/x", "GET, PUT"),
        ("get", "breakers/x/reset", "POST"),
        ("post", "health", "GET"),
        ("patch", "breakers", "GET"),
    ],
)
def test_a_method_that_does_not_fit_is_a_405_that_names_those_that_do(
    client: Client, api_key: str, method: str, path: str, allowed: str
) -> None:
    answer = getattr(client, method)(f"/api/v1/{path}", headers=bearer(api_key))
    assert allowed in check(answer, 405, "method_not_allowed")["detail"]
    assert answer["Allow"] == allowed


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000], ids=["cut", "no utf-8", "deep"])
def test_a_body_that_is_no_json_is_a_400(client: Client, api_key: str, body: bytes) -> None:
    answer = client.post("/api/v1/breakers/x/reset", body, "application/json", headers=bearer(api_key))
    check(answer, 400, "refused")
    check(post(client, api_key, body), 400, "malformed_batch")


def test_an_empty_body_is_a_422_that_names_the_body(client: Client, api_key: str) -> None:
    answer = client.post("/api/v1/breakers/x/reset", b"", "application/json", headers=bearer(api_key))
    assert [error["field"] for error in check(answer, 422, "invalid")["errors"]] == ["body"]


def test_several_wrong_values_are_all_named_as_the_caller_wrote_them(client: Client, api_key: str) -> None:
    query = {"limit": "x", "since": "2026-01-01T00:00:00", "outcome": "fine"}
    problem = check(client.get("/api/v1/operations", query, headers=bearer(api_key)), 422, "invalid")
    assert {error["field"] for error in problem["errors"]} == {"limit", "since", "outcome"}
    assert all(field in problem["detail"] for field in query)
    (since,) = [error for error in problem["errors"] if error["field"] == "since"]
    assert "offset from UTC" in since["message"]


def test_a_failure_nobody_foresaw_is_a_500_without_its_insides(client: Client, api_key: str) -> None:
    client.raise_request_exception = False
    from django.utils import timezone

    HealthSnapshot.objects.create(at=timezone.now(), status="healthy", components={"jobs": "spoiled"})
    answer = client.get("/api/v1/health", headers=bearer(api_key))
    assert "spoiled" not in str(check(answer, 500, "internal"))
