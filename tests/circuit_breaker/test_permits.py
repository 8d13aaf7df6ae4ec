"""Callers without the SDK ask for leave, and report how it went with the operation itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from featurememory.access import create_api_key
from featurememory.circuit_breaker.commands import Order, force_open_breaker, reset_breaker
from featurememory.circuit_breaker.permits import ask_for_permit
from featurememory.circuit_breaker.reports import settle_due_breakers
from featurememory.ingestion.receive import intake
from featurememory.models import Breaker, BreakerEvent
from tests.operations import bearer, operation, store

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "t:m"
LATER = timedelta(seconds=2)
Ask = Callable[..., Any]


def report(outcome: str, times: int = 1, **changes: Any) -> None:
    store(
        intake(),
        *[operation(operation_type="t", model="m", outcome=outcome, **changes) for _ in range(times)],
    )


@pytest.fixture
def opened() -> None:
    report("error", 5)
    assert Breaker.objects.get().state == "open"


@pytest.fixture
def ask(client: Client, api_key: str) -> Ask:
    def answer(name: str = NAME, key: str = api_key) -> Any:
        return client.post(f"/api/v1/breakers/{name}/permits", {}, "application/json", headers=bearer(key))

    return answer


def test_a_closed_breaker_gives_leave_without_changing_anything(ask: Ask) -> None:
    report("success")
    before = Breaker.objects.values().get()
    answer = ask().json()
    assert answer == {"allowed": True, "state": "closed", "retry_after_ms": None, "permit": "0"}
    assert Breaker.objects.values().get() == before


def test_an_open_one_says_when_to_come_back(ask: Ask, opened: None) -> None:
    answer = ask().json()
    assert (answer["allowed"], answer["state"], answer["permit"]) == (False, "open", "")
    assert 0 < answer["retry_after_ms"] <= 1_000


def test_a_forced_one_leaves_no_hope(ask: Ask) -> None:
    report("success")
    force_open_breaker(NAME, Order("olga", "maintenance"))
    answer = ask().json()
    assert answer == {"allowed": False, "state": "forced_open", "retry_after_ms": None, "permit": ""}


def test_probes_are_counted_over_all_who_ask_and_close_it_when_they_succeed(opened: None) -> None:
    now = timezone.now() + LATER
    granted = [ask_for_permit(NAME, now) for _ in range(5)]
    assert [each.allowed for each in granted] == [True, True, True, False, False]
    assert [each.permit for each in granted] == ["2.1", "2.2", "2.3", "", ""]
    for each in granted[:3]:
        report("success", permit=each.permit)
    assert Breaker.objects.get().state == "closed"


def test_a_clock_that_steps_back_lets_nobody_wait_for_longer_than_once_more(opened: None) -> None:
    hours_ago = timezone.now() - timedelta(hours=5)
    refused = ask_for_permit(NAME, hours_ago)
    assert refused.retry_after_ms is not None
    assert refused.retry_after_ms <= 1_000
    assert ask_for_permit(NAME, hours_ago + timedelta(seconds=1)).allowed


def test_a_permit_is_good_for_one_result(opened: None) -> None:
    now = timezone.now() + LATER
    permit = ask_for_permit(NAME, now).permit
    for _ in range(3):
        report("success", permit=permit)
    assert Breaker.objects.get().state == "half_open"


def test_a_probe_that_was_cancelled_gives_its_permit_back(opened: None) -> None:
    now = timezone.now() + LATER
    granted = [ask_for_permit(NAME, now).permit for _ in range(3)]
    assert not ask_for_permit(NAME, now).allowed
    report("cancelled", permit=granted[0])
    assert ask_for_permit(NAME, now).permit == "2.4"


def test_what_a_clock_says_does_not_matter_where_a_permit_is_at_hand(opened: None) -> None:
    reset_breaker(NAME, Order("olga", "fixed"))
    epoch = Breaker.objects.get().epoch
    slow_clock = (timezone.now() - timedelta(minutes=3)).isoformat()
    report("error", 5, started_at=slow_clock)
    assert Breaker.objects.get().state == "closed", "without a permit the clock decides"
    report("error", 5, started_at=slow_clock, permit=str(epoch - 1))
    assert Breaker.objects.get().state == "closed", "admitted before the reset"
    report("error", 5, started_at=slow_clock, permit=str(epoch))
    assert Breaker.objects.get().state == "open"


def test_a_clock_that_is_ahead_cannot_make_a_running_call_a_probe(opened: None) -> None:
    ahead = (timezone.now() + timedelta(minutes=2)).isoformat()
    report("success", 3, started_at=ahead)
    assert Breaker.objects.get().state == "open"


def test_what_the_caller_says_a_result_means_goes_over_its_outcome() -> None:
    report("error", 9, breaker_result="ignored")
    report("success", breaker_result="success")
    assert Breaker.objects.get().state == "closed"
    report("success", 5, breaker_result="failure")
    assert Breaker.objects.get().state == "open"


def test_a_probe_nobody_reports_is_lost_by_the_job_though_nobody_calls(opened: None) -> None:
    now = timezone.now() + LATER
    for _ in range(3):
        ask_for_permit(NAME, now)
    assert settle_due_breakers(now + timedelta(seconds=29)) == 0
    assert settle_due_breakers(now + timedelta(seconds=31)) == 1
    newest = BreakerEvent.objects.first()
    assert newest is not None
    assert (newest.cause, newest.to_state) == ("probe_expired", "open")
    assert settle_due_breakers(now + timedelta(seconds=31)) == 0


def test_an_end_that_has_come_is_told_by_the_job() -> None:
    report("success")
    now = timezone.now()
    force_open_breaker(NAME, Order("olga", "ten minutes", until=now + timedelta(minutes=10)))
    assert settle_due_breakers(now + timedelta(minutes=9)) == 0
    assert settle_due_breakers(now + timedelta(minutes=10)) == 1
    assert Breaker.objects.get().state == "closed"


def test_an_unknown_name_is_a_404_and_makes_no_breaker(ask: Ask) -> None:
    assert ask("typo").status_code == 404
    assert "first operation" in ask("typo").json()["detail"]
    assert not Breaker.objects.exists()


def test_the_scope_ingest_is_enough_and_needed(ask: Ask) -> None:
    report("success")
    assert ask(key=create_api_key("sender", ["ingest"])[1]).status_code == 200
    assert ask(key=create_api_key("reader", ["read"])[1]).status_code == 403


@pytest.mark.parametrize("permit", ["x", "1.", ".1", "-1", "1.2.3", "1" * 19, "1 "])
def test_a_permit_nobody_gave_is_refused_by_field(client: Client, api_key: str, permit: str) -> None:
    from tests.operations import batch, operation_json, post

    answer = post(client, api_key, batch(operation_json(permit=permit)))
    (error,) = answer.json()["rejected"][0]["errors"]
    assert error["field"] == "permit"


def test_a_trip_opens_the_fleets_breaker_at_once(client: Client, api_key: str) -> None:
    report("success")
    body = {"instance": "gpu-1", "message": "5 failures in a row reached max_failures = 5", "permit": "0"}
    answer = client.post(f"/api/v1/breakers/{NAME}/trip", body, "application/json", headers=bearer(api_key))
    assert answer.json()["state"] == "open"
    event = BreakerEvent.objects.get()
    assert (event.cause, event.message) == ("tripped", f"gpu-1 tripped: {body['message']}")
    reset_breaker(NAME, Order("olga", "fixed"))
    late = client.post(f"/api/v1/breakers/{NAME}/trip", body, "application/json", headers=bearer(api_key))
    assert late.json()["state"] == "closed"


def test_what_a_process_reports_of_its_own_breakers_is_kept_once(client: Client, api_key: str) -> None:
    from featurememory.models import LocalTransition

    told = {
        "number": 1, "breaker": NAME, "from_state": "closed", "to_state": "open", "cause": "max_failures",
        "message": "why", "at": timezone.now().isoformat(), "counts": {"failures": 5},
    }  # fmt: skip
    url = "/api/v1/breaker-followers/transitions"
    for transitions in ([told], [told, told | {"number": 2, "to_state": "half_open"}]):
        body = {"instance": "gpu-1", "transitions": transitions}
        assert client.post(url, body, "application/json", headers=bearer(api_key)).status_code == 204
    assert list(LocalTransition.objects.order_by("number").values_list("number", "to_state")) == [
        (1, "open"),
        (2, "half_open"),
    ]
