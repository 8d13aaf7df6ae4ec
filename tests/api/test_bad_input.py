"""Whatever arrives is answered with what is wrong, where, and what would be right; the rest is kept."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.models import Operation

URL = "/api/v1/operations"
pytestmark = pytest.mark.django_db(transaction=True)


def operation(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "operation_type": "text_to_audio",
        "model": "audioldm",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_ms": 12.5,
        "outcome": "success",
    } | changes


def post(client: Client, key: str, body: bytes, **headers: str) -> Any:
    return client.post(URL, body, "application/json", headers={"Authorization": f"Bearer {key}"} | headers)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"duration_ms": float("nan")}, "duration_ms", "finite"),
        ({"duration_ms": -1}, "duration_ms", "0"),
        ({"duration_ms": "soon"}, "duration_ms", "number"),
        ({"id": "x"}, "id", "UUID"),
        ({"operation_type": ""}, "operation_type", "1 character"),
        ({"operation_type": "x" * 201}, "operation_type", "200"),
        ({"model": ["a"]}, "model", "string"),
        ({"outcome": "fine"}, "outcome", "success"),
        ({"started_at": "2999-01-01T00:00:00Z"}, "started_at", "ahead"),
        ({"started_at": "1999-01-01T00:00:00Z"}, "started_at", "30 days"),
        ({"started_at": "2026-01-01T00:00:00"}, "started_at", "offset"),
        ({"started_at": "9999-12-31T23:59:59-12:00"}, "started_at", "9999"),
        ({"error_message": "x" * 2_001}, "error_message", "2000"),
        ({"error_message": "a\0b"}, "error_message", "pattern"),
        ({"parameters": {"a": "x" * 20_000}}, "parameters", "16384"),
        ({"parameters": {"a": float("inf")}}, "parameters", "finite"),
        ({"parameters": {"a": ["\0"]}}, "parameters", "U+0000"),
        ({"parameters": [1]}, "parameters", "dictionary"),
        ({"score": 1.5}, "score", "1"),
        ({"features": [1e39]}, "features", "32-bit"),
        ({"features": []}, "features", "at least 1"),
        ({"features": [0.0] * 16_385}, "features", "16384"),
        ({"trace_id": "XYZ"}, "trace_id", "pattern"),
        ({"colour": "red"}, "colour", "attributes"),
    ],
)
def test_one_bad_operation_is_refused_by_field_and_the_good_one_is_kept(
    client: Client, api_key: str, changes: dict[str, Any], field: str, said: str
) -> None:
    good, bad = operation(), operation(**changes)
    answer = post(client, api_key, json.dumps({"operations": [bad, good]}).encode())
    assert answer.status_code == 200, answer.content
    (rejected,) = answer.json()["rejected"]
    assert (answer.json()["accepted"], rejected["index"]) == (1, 0)
    assert rejected["errors"][0]["field"].startswith(field)
    assert said in rejected["errors"][0]["message"]
    assert [str(row.id) for row in Operation.objects.all()] == [good["id"]]


@pytest.mark.parametrize(
    ("body", "status", "field", "said"),
    [
        (b"{", 400, "body", "EOF"),
        (b"[]", 422, "operations", '{"operations": [...]}'),
        (b'{"operations": {}}', 422, "operations", '{"operations": [...]}'),
        (b'{"operations": [], "more": 1}', 422, "more", "not a known field"),
        (b'{"operations": [], "source": {"instance": ""}}', 422, "source.instance", "1 character"),
        (json.dumps({"operations": [{}] * 10_000}).encode(), 422, "operations", "1000"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused_as_a_whole(
    client: Client, api_key: str, body: bytes, status: int, field: str, said: str
) -> None:
    answer = post(client, api_key, body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert said in error["message"]


def test_a_batch_without_one_good_operation_is_a_422_that_names_each(client: Client, api_key: str) -> None:
    answer = post(client, api_key, json.dumps({"operations": [operation(id="x"), 7]}).encode())
    assert answer.status_code == 422
    assert [rejected["index"] for rejected in answer.json()["rejected"]] == [0, 1]


def test_gzip_is_taken_and_a_bomb_is_refused_without_being_unpacked(client: Client, api_key: str) -> None:
    good = gzip.compress(json.dumps({"operations": [operation()]}).encode())
    assert post(client, api_key, good, **{"Content-Encoding": "gzip"}).json()["accepted"] == 1

    bomb = gzip.compress(bytes(256 * 2**20), compresslevel=1)
    tracemalloc.start()
    try:
        answer = post(client, api_key, bomb, **{"Content-Encoding": "gzip"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert "16,777,216" in answer.json()["detail"]
    assert peak < 64 * 2**20


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") * 2],
    ids=["no gzip", "cut", "two members"],
)
def test_gzip_that_is_not_whole_is_refused(client: Client, api_key: str, body: bytes) -> None:
    assert post(client, api_key, body, **{"Content-Encoding": "gzip"}).status_code == 400


def test_the_same_batch_twice_changes_nothing_but_duplicates(client: Client, api_key: str) -> None:
    from featurememory.models import Breaker, Rollup

    body = json.dumps({"operations": [operation() for _ in range(3)]}).encode()
    assert post(client, api_key, body).json() == {"accepted": 3, "duplicates": 0, "rejected": []}
    rollups = list(Rollup.objects.order_by("id").values())
    breakers = list(Breaker.objects.values("name", "machine", "version"))
    assert post(client, api_key, body).json() == {"accepted": 0, "duplicates": 3, "rejected": []}
    assert list(Rollup.objects.order_by("id").values()) == rollups
    assert list(Breaker.objects.values("name", "machine", "version")) == breakers


def test_a_key_is_needed_and_its_scope(client: Client, api_key: str) -> None:
    from featurememory.access import create_api_key

    body = json.dumps({"operations": [operation()]}).encode()
    assert post(client, "fm_wrong", body).status_code == 401
    reader = create_api_key("reader", ["read"])[1]
    answer = post(client, reader, body)
    assert answer.status_code == 403
    assert "`ingest`" in answer.json()["detail"]
    assert not Operation.objects.exists()


def test_operations_are_found_page_by_page(client: Client, api_key: str) -> None:
    now = datetime.now(UTC)
    sent = [operation(started_at=(now - timedelta(seconds=n)).isoformat()) for n in range(7)]
    post(client, api_key, json.dumps({"operations": sent}).encode())
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = client.get(URL, query, headers={"Authorization": f"Bearer {api_key}"}).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert found == [each["id"] for each in sent]
