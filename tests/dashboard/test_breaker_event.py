"""The page of one change: its figures, and the operations that were stored up to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard.breaker_causes import MOST, read_causes
from dashboard.words import CAUSES, OUTCOMES
from featurememory.circuit_breaker.commands import Order, reset_breaker
from featurememory.circuit_breaker.events import Cause
from featurememory.ingestion.receive import intake
from featurememory.models import Breaker, BreakerEvent, Operation
from tests.dashboard.breakers import newest_event
from tests.operations import operation, store

SignIn = Callable[[str], Client]
pytestmark = pytest.mark.django_db(transaction=True)


def report(outcome: str, times: int = 1, **changes: Any) -> None:
    place = {"operation_type": "t", "model": "m", "outcome": outcome}
    store(intake(), *[operation(**(place | changes)) for _ in range(times)])


def page_of(client: Client, event: BreakerEvent) -> str:
    response = client.get(reverse("breaker-event", args=[event.sequence]))
    assert response.status_code == 200
    return response.content.decode().replace("\u00a0", " ")


def rows(page: str) -> list[str]:
    body = re.search(r"<tbody>(.*)</tbody>", page, re.S)
    return [] if body is None else re.findall(r"<tr.*?</tr>", body[1], re.S)


def test_the_operations_that_opened_it_are_one_click_away(sign_in: SignIn) -> None:
    report("success", 2)
    report("error", 5, error_type="ValueError", error_message="no such voice")
    event = newest_event("t:m")
    report("timeout", 3)

    page = page_of(sign_in("viktor"), event)

    assert "Failures in a row" in page
    assert "5 failures in a row reached max_failures = 5." in page
    assert "7 operations of this breaker, newest first; 5 failed" in page
    assert [("failed" in row, "ValueError: no such voice" in row) for row in rows(page)] == [
        *[(True, True)] * 5,
        *[(False, False)] * 2,
    ]


def test_figures_actor_and_reason_stand_with_it(sign_in: SignIn) -> None:
    report("error", 5)
    reset_breaker("t:m", Order("olga", "the GPU is back"))

    page = page_of(sign_in("viktor"), newest_event("t:m"))

    assert "Reset by an operator" in page
    assert "By olga: “the GPU is back”" in page
    assert re.search(r"<dt>Failures in a row</dt><dd>5</dd>", page)


def test_operations_of_a_breaker_that_their_caller_named_are_found_too(sign_in: SignIn) -> None:
    report("error", 5, breaker="gpu pool", operation_type="a", model="")
    report("error", 1, operation_type="gpu pool", model="")

    causes = read_causes(newest_event("gpu pool"), 60_000)

    assert len(causes) == 5
    assert {cause.operation.breaker for cause in causes} == {"gpu pool"}


@pytest.mark.parametrize(("kind", "model"), [("a:b", "c"), ("a", "b:c"), ("a:b:c", "")])
def test_a_name_is_read_in_every_way_it_may_have_come_about(kind: str, model: str) -> None:
    report("error", 5, operation_type=kind, model=model)

    assert len(read_causes(newest_event("a:b:c"), 60_000)) == 5


def test_others_operations_are_not_blamed(sign_in: SignIn) -> None:
    report("error", 5)
    report("success", 3, operation_type="other")
    report("success", 3, breaker="mine")

    assert len(read_causes(newest_event("t:m"), 60_000)) == 5


def test_slow_operations_are_marked(sign_in: SignIn) -> None:
    report("success", 1, duration_ms=70_000)
    report("error", 5, duration_ms=3)

    page = page_of(sign_in("viktor"), newest_event("t:m"))

    assert [">slow<" in row for row in rows(page)].count(True) == 1


def test_what_was_stored_later_is_not_among_them() -> None:
    report("error", 5)
    event = newest_event("t:m")
    begun = (event.at - timedelta(minutes=5)).isoformat()
    report("error", 1, started_at=begun)

    assert len(read_causes(event, 60_000)) == 5


def test_no_more_are_shown_than_anybody_reads(sign_in: SignIn, now: datetime) -> None:
    report("success", MOST + 20)
    report("error", 5)

    page = page_of(sign_in("viktor"), newest_event("t:m"))

    assert len(rows(page)) == MOST
    assert f"These are the newest {MOST}." in page


def test_a_change_outlives_its_operations(sign_in: SignIn) -> None:
    report("error", 5)
    Operation.objects.all().delete()

    page = page_of(sign_in("viktor"), newest_event("t:m"))

    assert rows(page) == []
    assert "a change outlives its operations" in page


def test_a_change_outlives_its_breaker(sign_in: SignIn) -> None:
    report("error", 5)
    event = newest_event("t:m")
    Breaker.objects.all().delete()

    page = page_of(sign_in("viktor"), event)

    assert "t:m (forgotten since)" in page
    assert len(rows(page)) == 5


def test_the_page_asks_as_often_for_many_operations_as_for_few_and_along_indexes(sign_in: SignIn) -> None:
    client = sign_in("viktor")

    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            page_of(client, newest_event("t:m"))
        return [query["sql"] for query in captured]

    report("error", 5)
    few = asked()
    report("error", 50)
    report("success", 50, breaker="t:m")

    assert len(asked()) == len(few) <= 11


def test_the_operations_are_searched_along_indexes() -> None:
    from dashboard import breaker_causes

    now = timezone.now()
    report("error", 5)
    searches = {
        "operation_breaker": breaker_causes._chosen("t:m"),
        "operation_series_started": breaker_causes._of_series("t:m"),
    }
    for index, operations in searches.items():
        newest = operations.filter(started_at__lte=now, started_at__gt=now - breaker_causes.WITHIN)
        assert index in newest.order_by("-started_at")[:MOST].explain()


def test_there_are_words_for_every_cause_and_every_outcome() -> None:
    assert set(get_args(Cause)) == set(CAUSES)
    assert set(Operation.Outcome.values) == set(OUTCOMES)


@pytest.mark.parametrize("sequence", ["0", "99999", "9" * 30])
def test_an_unknown_change_is_not_found(sign_in: SignIn, sequence: str) -> None:
    assert sign_in("viktor").get(f"/breaker-events/{sequence}/").status_code == 404
