"""Breakers are listed, and moved by a key with the scope `control`, with a reason, in the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.access import create_api_key
from featurememory.circuit_breaker.commands import Order, disable_breaker, reset_breaker
from featurememory.ingestion.receive import intake
from featurememory.models import AuditEntry, Breaker, BreakerEvent
from featurememory.reasons import MAX_REASON
from tests.operations import batch, bearer, operation, operation_json, post, store

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/breakers"
Act = Callable[..., Any]


@pytest.fixture
def act(client: Client, api_key: str) -> Act:
    def answer(action: str, name: str = "t:m", key: str = api_key, **body: Any) -> Any:
        body = body or {"reason": "a test"}
        return client.post(f"{URL}/{name}/{action}", body, "application/json", headers=bearer(key))

    return answer


@pytest.fixture
def opened() -> str:
    """The name of a breaker that five failures have opened."""
    store(intake(), *[operation(operation_type="t", model="m", outcome="error") for _ in range(5)])
    assert Breaker.objects.get().state == "open"
    return "t:m"


def test_an_open_breaker_shows_why_and_for_how_long(client: Client, api_key: str, opened: str) -> None:
    shown = client.get(f"{URL}/{opened}", headers=bearer(api_key)).json()
    assert (shown["state"], shown["computed_state"], shown["overlay"]) == ("open", "open", None)
    assert (shown["operation_type"], shown["model"]) == ("t", "m")
    assert shown["retry_after_ms"] >= 0
    (listed,) = client.get(URL, headers=bearer(api_key)).json()["items"]
    assert (listed["name"], listed["version"]) == (opened, shown["version"])


@pytest.mark.parametrize(
    ("action", "state", "overlay"),
    [
        ("reset", "closed", None),
        ("force-open", "forced_open", "forced_open"),
        ("disable", "disabled", "disabled"),
        ("release", "open", None),
    ],
)
def test_each_action_leads_to_its_state_and_is_audited(
    act: Act, opened: str, action: str, state: str, overlay: str | None
) -> None:
    before = Breaker.objects.get()
    answer = act(action, reason="  model was replaced  ")
    assert answer.status_code == 200, answer.content
    shown = answer.json()
    assert (shown["name"], shown["state"], shown["overlay"]) == (opened, state, overlay)
    stored = Breaker.objects.get()
    assert (stored.state, stored.version) == (state, shown["version"])
    entry = AuditEntry.objects.get()
    assert entry.actor == "key tests"
    assert entry.action == f"breaker.{action.replace('-', '_')}"
    assert (entry.subject, entry.reason) == (opened, "model was replaced")
    assert entry.before["state"] == "open" == before.state
    assert entry.after["state"] == state
    if stored.version > before.version:
        event = BreakerEvent.objects.first()
        assert event is not None
        assert (event.actor, event.reason) == ("key tests", "model was replaced")
        assert event.sequence == stored.version


def test_a_disabled_breaker_counts_nothing_and_a_released_one_goes_on(act: Act) -> None:
    failures = {"operation_type": "t", "model": "m", "outcome": "error", "duration_ms": 0}
    store(intake(), operation(operation_type="t", model="m"))
    act("disable")
    store(intake(), *[operation(**failures) for _ in range(5)])
    assert Breaker.objects.get().computed_state == "closed"
    act("release")
    store(intake(), *[operation(**failures) for _ in range(5)])
    assert Breaker.objects.get().state == "open"


def test_failures_from_before_a_reset_do_not_open_it_again(act: Act, opened: str) -> None:
    before = timezone.now()
    act("reset")
    late = [
        operation(operation_type="t", model="m", outcome="error", started_at=before.isoformat())
        for _ in range(5)
    ]
    store(intake(), *late)
    assert Breaker.objects.get().state == "closed"


def test_events_are_numbered_without_gaps(act: Act, opened: str) -> None:
    for action in ("force-open", "release", "disable", "reset"):
        assert act(action).status_code == 200
    numbers = list(BreakerEvent.objects.order_by("sequence").values_list("sequence", flat=True))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert Breaker.objects.get().version == numbers[-1]


def test_a_second_submit_of_one_request_does_nothing(opened: str) -> None:
    request_id = uuid4()
    first = disable_breaker(opened, Order("ann", "why", request_id=request_id))
    reset_breaker(opened, Order("bob", "because"))
    again = disable_breaker(opened, Order("ann", "why", request_id=request_id))
    assert first.breaker.state == "disabled"
    assert again.breaker.state == Breaker.objects.get().state == "closed"
    assert AuditEntry.objects.count() == 2


@pytest.mark.parametrize("scopes", [["read"], ["ingest"], ["read", "ingest"]])
@pytest.mark.parametrize("action", ["reset", "force-open", "disable", "release"])
def test_actions_need_the_scope_control(act: Act, opened: str, action: str, scopes: list[str]) -> None:
    answer = act(action, key=create_api_key("weak", scopes)[1])
    assert answer.status_code == 403
    assert "`control`" in answer.json()["detail"]
    assert not AuditEntry.objects.exists()


def test_a_breaker_nobody_has_is_a_404(client: Client, api_key: str, act: Act) -> None:
    for answer in (client.get(f"{URL}/nobody", headers=bearer(api_key)), act("reset", "nobody")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_breaker")
        assert "nobody" in answer.json()["detail"]
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "reason",
    ["", "   ", "\n", "x" * (MAX_REASON + 1), "a\0b", "\ud800", None, 5],
    ids=["empty", "blank", "newline", "long", "nul", "surrogate", "null", "number"],
)
def test_without_a_sound_reason_nothing_moves(act: Act, opened: str, reason: Any) -> None:
    answer = act("reset", reason=reason)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["reason"]
    assert Breaker.objects.get().state == "open"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", ["a/b", "a b", "tür", "a:b:c", "stream", "50%", "a?b#c", "."])
def test_any_name_a_caller_chose_can_be_read_and_moved(
    client: Client, api_key: str, act: Act, name: str
) -> None:
    store(intake(), operation(breaker=name))
    quoted = quote(name)
    assert client.get(f"{URL}/{quoted}", headers=bearer(api_key)).json()["name"] == name
    assert act("disable", quoted).json()["state"] == "disabled"


def test_a_name_with_nul_is_refused_by_field(client: Client, api_key: str, act: Act) -> None:
    for answer in (client.get(f"{URL}/a%00b", headers=bearer(api_key)), act("reset", "a%00b")):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["name"]


def test_breakers_are_listed_by_name_page_by_page(client: Client, api_key: str) -> None:
    names = sorted(f"b{n}" for n in range(7))
    store(intake(), *[operation(breaker=name) for name in names])
    found: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = client.get(URL, query, headers=bearer(api_key)).json()
        found += [each["name"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == names


def test_breakers_are_found_by_state(client: Client, api_key: str, opened: str) -> None:
    store(intake(), operation(breaker="fine"))
    for state, expected in (("open", [opened]), ("closed", ["fine"]), ("disabled", [])):
        page = client.get(URL, {"state": state}, headers=bearer(api_key)).json()
        assert [each["name"] for each in page["items"]] == expected


def test_an_answer_says_whether_the_news_was_handed_on(act: Act, opened: str, deaf_bus: None) -> None:
    assert not act("reset", opened).json()["handed_on"]


def test_where_everybody_looks_into_the_database_news_are_handed_on_at_once(act: Act, opened: str) -> None:
    assert act("reset", opened).json()["handed_on"]


@pytest.mark.parametrize(
    "place", ["breaker-configurations/default", "breaker-configurations/operation-types/t", "breakers/t:m"]
)
def test_so_does_that_to_a_configuration(
    place: str, client: Client, api_key: str, opened: str, deaf_bus: None
) -> None:
    body = {"config": {"max_failures": 9}, "reason": "a test"}
    answer = client.put(f"/api/v1/{place}", body, "application/json", headers=bearer(api_key))
    assert (answer.status_code, answer.json()["handed_on"]) == (200, False)


def test_failures_of_while_the_server_was_away_open_no_breaker_after_it(client: Client, api_key: str) -> None:
    long_ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    failed = [operation_json(started_at=long_ago, outcome="error", instance="sdk") for _ in range(5)]
    source = {"instance": "sdk", "sdk": "python/1", "breaker": {}}
    assert post(client, api_key, batch(*failed, source=source)).json()["accepted"] == 5
    assert Breaker.objects.get().state == "closed"
    failed = [each | {"id": str(uuid4()), "instance": "curl"} for each in failed]
    assert post(client, api_key, batch(*failed)).json()["accepted"] == 5
    assert Breaker.objects.get().state == "open"
