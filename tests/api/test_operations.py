"""Operations are found again: by everything they can be searched for, page by page, one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.circuit_breaker.fleet import Fleet
from featurememory.ingestion.receive import intake
from featurememory.ingestion.series import SeriesRegistry
from featurememory.ingestion.transaction import GroupTransaction, Submission
from featurememory.observability import operation_search
from tests.operations import URL, bearer, operation, operation_json, store

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
Get = Callable[..., Any]


@pytest.fixture
def get(client: Client, api_key: str) -> Get:
    def answer(**query: Any) -> Any:
        return client.get(URL, query, headers=bearer(api_key)).json()

    return answer


def at(second: int) -> str:
    return (START + timedelta(seconds=second)).isoformat()


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["items"]]


def kept(count: int, **changes: Any) -> list[str]:
    """Ids of operations one second apart, newest first."""
    sent = [operation(started_at=at(second), **changes) for second in range(count)]
    store(intake(), *sent)
    return [str(each.id) for each in reversed(sent)]


def test_an_operation_is_shown_as_it_was_sent(client: Client, api_key: str) -> None:
    sent = operation_json(
        started_at="2026-01-01T00:00:00.5+01:00",
        parameters={"steps": 50, "deep": {"a": [1, None, "ü"]}},
        attributes={"host": "x"},
        score=0.25,
        error_type="E",
        error_message="why",
        recommendation=str(uuid4()),
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        breaker="mine",
        instance="i",
        space="s",
    )
    store(intake(), operation(**sent))
    answer = client.get(f"{URL}/{sent['id']}", headers=bearer(api_key))
    assert answer.status_code == 200
    shown = answer.json()
    assert datetime.fromisoformat(shown.pop("started_at")) == datetime.fromisoformat(sent.pop("started_at"))
    assert datetime.fromisoformat(shown.pop("received_at")).tzinfo is not None
    assert shown == sent | {"pattern": None}


def test_an_unknown_id_is_a_404_problem_that_names_it(client: Client, api_key: str) -> None:
    identity = str(uuid4())
    answer = client.get(f"{URL}/{identity}", headers=bearer(api_key))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_operation")
    assert identity in answer.json()["detail"]


def test_pages_follow_each_other_while_new_operations_arrive(get: Get) -> None:
    first = kept(9)
    page = get(limit=4)
    found = ids(page)
    while page["next_cursor"]:
        store(intake(), *[operation(started_at=at(1_000 + len(found))) for _ in range(3)])
        page = get(limit=4, cursor=page["next_cursor"])
        found += ids(page)
    assert found == first


def test_operations_of_the_same_moment_are_paged_without_loss(get: Get) -> None:
    sent = [operation(started_at=at(0)) for _ in range(7)]
    store(intake(), *sent)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = get(**query)
        found += ids(page)
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == sorted(str(each.id) for each in sent)
    assert len(found) == len(set(found))


def test_a_last_page_that_is_just_full_has_no_next(get: Get) -> None:
    kept(4)
    assert get(limit=4)["next_cursor"] is None
    assert get(limit=3)["next_cursor"] is not None


@pytest.mark.parametrize(
    ("query", "own"),
    [
        ({"operation_type": "wanted"}, {"operation_type": "wanted"}),
        ({"model": "wanted"}, {"model": "wanted"}),
        ({"model": ""}, {"model": ""}),
        ({"outcome": "timeout"}, {"outcome": "timeout"}),
        ({"breaker": "wanted"}, {"breaker": "wanted"}),
        ({"trace_id": "0" * 31 + "1"}, {"trace_id": "0" * 31 + "1"}),
        ({"model": "m", "outcome": "error"}, {"model": "m", "outcome": "error"}),
    ],
)
def test_only_what_was_looked_for_is_found(get: Get, query: dict[str, str], own: dict[str, str]) -> None:
    wanted = kept(2, **own)
    kept(2, model="other", outcome="cancelled")
    assert ids(get(**query)) == wanted


@pytest.mark.parametrize(
    ("breaker", "own"),
    [
        ("speech:xtts", {"operation_type": "speech", "model": "xtts"}),
        ("speech", {"operation_type": "speech", "model": ""}),
        ("a:b:c", {"operation_type": "a", "model": "b:c"}),
        ("a:b:c", {"operation_type": "a:b", "model": "c"}),
        ("a:b:c", {"operation_type": "a:b:c", "model": ""}),
    ],
)
def test_a_breaker_s_operations_are_found_though_their_callers_chose_none(
    get: Get, breaker: str, own: dict[str, str]
) -> None:
    kept(2, operation_type="speech", model="bark")
    kept(2, **own, breaker="another")
    by_default = kept(2, **own)
    chosen = kept(2, operation_type="translation", breaker=breaker)

    assert sorted(ids(get(breaker=breaker))) == sorted(by_default + chosen)
    assert sorted(ids(get(breaker=breaker, outcome="success"))) == sorted(by_default + chosen)
    assert ids(get(breaker=breaker, operation_type="translation")) == chosen
    assert ids(get(breaker=breaker, outcome="error")) == []


def test_failures_and_traces_of_a_breaker_are_found(get: Get) -> None:
    trace_id = "0" * 31 + "2"
    (wanted,) = kept(1, operation_type="speech", model="xtts", outcome="error", trace_id=trace_id)
    kept(1, operation_type="speech", model="bark", outcome="error", trace_id=trace_id)

    assert ids(get(breaker="speech:xtts", outcome="error")) == [wanted]
    assert ids(get(breaker="speech:xtts", trace_id=trace_id)) == [wanted]


def test_pages_of_several_series_follow_each_other(get: Get) -> None:
    for model in ("a", "b", "c"):
        kept(5, operation_type="speech", model=model)
    kept(3, operation_type="translation")
    page = get(operation_type="speech", limit=4)
    found = page["items"]
    while page["next_cursor"]:
        page = get(operation_type="speech", limit=4, cursor=page["next_cursor"])
        found += page["items"]

    assert [each["started_at"] for each in found] == sorted(
        (each["started_at"] for each in found), reverse=True
    )
    assert len({each["id"] for each in found}) == len(found) == 15


def test_what_is_counted_under_other_is_found_by_its_own_name(get: Get) -> None:
    registry = SeriesRegistry(max_types=1, max_models=1)
    transaction = GroupTransaction(registry, Fleet(10))
    wanted = operation(operation_type="rare", model="odd", outcome="error")
    sent = [
        operation(operation_type="common", model="usual"),
        wanted,
        operation(operation_type="common", model="new"),
    ]
    transaction.store([Submission(sent)], datetime.now(UTC).timestamp())

    for query in ({"operation_type": "rare"}, {"model": "odd"}, {"operation_type": "rare", "model": "odd"}):
        assert ids(get(**query)) == [str(wanted.id)]
    assert ids(get(breaker="rare:odd")) == []  # beyond the limits there is no such breaker


def test_since_is_inclusive_and_until_exclusive(get: Get) -> None:
    newest_first = kept(4)
    assert ids(get(since=at(1), until=at(3))) == newest_first[1:3]
    other_offset = (START + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert ids(get(since=other_offset)) == newest_first[:3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"since": "0001-01-01T00:00:00+12:00"}, "since"),
        ({"until": "9999-12-31T23:59:59-12:00"}, "until"),
        ({"outcome": "fine"}, "outcome"),
        ({"trace_id": "A" * 32}, "trace_id"),
        ({"operation_type": "a\0b"}, "operation_type"),
        ({"model": "\0"}, "model"),
        ({"breaker": "x" * 501}, "breaker"),
    ],
)
def test_a_search_for_the_impossible_is_a_422_that_names_the_field(
    client: Client, api_key: str, query: dict[str, Any], field: str
) -> None:
    answer = client.get(URL, query, headers=bearer(api_key))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "\0", "MjAyNg==", "MDAwMS0wMS0wMVQwMDowMDowMCsxMjowMCAx", "MjAyNi0wMS0wMVQwMDowMDowMCAx"],
    ids=["no base64", "no ascii", "nul", "no place", "before year one", "no offset"],
)
def test_a_cursor_nobody_gave_is_a_422(client: Client, api_key: str, cursor: str) -> None:
    answer = client.get(URL, {"cursor": cursor}, headers=bearer(api_key))
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor")


def test_a_page_costs_one_query(
    get: Get, client: Client, api_key: str, django_assert_num_queries: Any
) -> None:
    kept(20)
    get()
    with django_assert_num_queries(1):
        assert len(get(limit=10)["items"]) == 10


def test_operations_are_found_by_process_error_type_duration_and_failure(get: Get) -> None:
    wanted = {"outcome": "timeout", "error_type": "TimeoutError", "instance": "gpu-7:1", "duration_ms": 900.0}
    kept(1)
    (slow,) = kept(1, **wanted)
    kept(1, **wanted | {"duration_ms": 10.0})

    for query in (
        {"instance": "gpu-7:1", "min_duration_ms": 500},
        {"error_type": "TimeoutError", "min_duration_ms": 900},
        {"outcome": "failed", "min_duration_ms": 11},
    ):
        page = get(**query)
        assert ids(page) == [slow]
        assert page["next_cursor"] is None


def test_a_search_without_an_index_goes_on_where_it_stopped_looking(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", 2)
    (wanted,) = kept(1, instance="gpu-7:1")
    store(intake(), *(operation(started_at=at(second)) for second in (1, 2)))

    first = get(instance="gpu-7:1")
    second = get(instance="gpu-7:1", cursor=first["next_cursor"])

    assert ids(first) == []
    assert ids(second) == [wanted]
