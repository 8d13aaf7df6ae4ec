"""Resetting many at once, in an incident: exactly what was shown, each with its reason, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from featurememory.circuit_breaker.commands import Order, force_open_breaker
from featurememory.models import AuditEntry, Breaker, BreakerEvent
from tests.dashboard.breakers import closed, opened

SignIn = Callable[[str], Client]
ADDRESS = "/breaker-resets/"


@pytest.fixture(autouse=True)
def _incident(db: None, now: datetime) -> None:
    """Two open, one that an operator holds, one closed."""
    for name in ("a", "b"):
        opened(name, now)
    for name in ("held", "quiet"):
        closed(name, now)
    force_open_breaker("held", Order("bob", "GPU swap"))


def offered(page: str) -> dict[str, bool]:
    """Each name that the preview offers, and whether it is ticked."""
    found = re.findall(r'<input type="checkbox" name="name" value="([^"]*)" id="[^"]*"( checked)?>', page)
    return {name: bool(ticked) for name, ticked in found}


def states() -> dict[str, str]:
    return dict(Breaker.objects.values_list("name", "state"))


def given(*names: str, **more: Any) -> dict[str, Any]:
    return {"name": names, "reason": "all hosts are back", "request_id": str(uuid4())} | more


def test_the_preview_shows_exactly_what_is_chosen_and_why_it_is_as_it_is(sign_in: SignIn) -> None:
    page = sign_in("olga").get(ADDRESS, {"name": ["a", "held"]}).content.decode()

    assert offered(page) == {"a": True, "held": True}
    assert "Reset 2 breakers?" in page
    assert "5 failures in a row reached max_failures = 5" in page
    assert "By bob: “GPU swap”" in page
    assert "An operator holds it; a reset lifts that" in page
    assert states()["a"] == "open"


def test_all_that_match_leaves_it_to_the_operator_to_lift_another_s_hold(sign_in: SignIn) -> None:
    page = sign_in("olga").get(ADDRESS, {"all": "yes", "state": "not_closed"}).content.decode()

    assert offered(page) == {"a": True, "b": True, "held": False}
    assert "Tick it if you mean it" in page


def test_what_is_ticked_is_reset_each_with_an_audit_row_of_its_own(sign_in: SignIn) -> None:
    client, sent = sign_in("olga"), given("a", "b")
    before = AuditEntry.objects.count()

    response = client.post(ADDRESS, sent, follow=True)

    page = response.content.decode()
    assert states() == {"a": "closed", "b": "closed", "held": "forced_open", "quiet": "closed"}
    assert "2 breakers were reset" in page
    assert 'role="status" tabindex="-1" autofocus' in page
    assert re.findall(r'<a class="name" href="/breakers/([^/]*)/', page) == ["a", "b"]
    rows = AuditEntry.objects.filter(action="breaker.reset")
    assert AuditEntry.objects.count() == before + 2
    assert {(row.subject, row.actor, row.reason) for row in rows} == {
        ("a", "olga", "all hosts are back"),
        ("b", "olga", "all hosts are back"),
    }
    assert {row.request_id for row in rows} == {uuid5(UUID(sent["request_id"]), name) for name in "ab"}


def test_the_same_submit_again_does_nothing(sign_in: SignIn) -> None:
    client, sent = sign_in("olga"), given("a", "b")
    client.post(ADDRESS, sent)
    opened("a", timezone.now())
    events, audits = BreakerEvent.objects.count(), AuditEntry.objects.count()

    assert client.post(ADDRESS, sent).status_code == 302

    assert states()["a"] == "open"
    assert (BreakerEvent.objects.count(), AuditEntry.objects.count()) == (events, audits)


def test_those_that_are_gone_meanwhile_are_named(sign_in: SignIn) -> None:
    client = sign_in("olga")
    Breaker.objects.filter(name="b").delete()

    preview = client.get(ADDRESS, {"name": ["a", "b"]}).content.decode()
    result = client.post(ADDRESS, given("a", "b"), follow=True).content.decode()

    assert "There is no breaker of this name any more: b." in preview
    assert "1 breaker was reset: it is closed and starts counting anew. There is no more: b." in result
    assert "banner-warn" in result[: result.index('id="stale"')]


def test_when_all_are_gone_it_says_so(sign_in: SignIn) -> None:
    result = sign_in("olga").post(ADDRESS, given("x", "y"), follow=True).content.decode()

    assert "No breaker was reset. There are no more: x, y." in result


def test_what_another_operator_took_in_hand_meanwhile_is_left_alone_and_named(sign_in: SignIn) -> None:
    client = sign_in("olga")
    preview = client.get(ADDRESS, {"name": ["a", "b"]}).content.decode()
    looked_at = re.search(r'name="looked_at" value="(\d+)"', preview)
    assert looked_at is not None
    sent = given("a", "b", looked_at=looked_at[1])
    force_open_breaker("b", Order("bob", "it burns"))

    result = client.post(ADDRESS, sent, follow=True).content.decode()
    again = client.post(ADDRESS, sent, follow=True).content.decode()

    for page in (result, again):
        assert "1 breaker was reset" in page
        assert "Another operator has acted meanwhile on what was left alone: b." in page
        assert "banner-warn" in page[: page.index('id="stale"')]
    assert (states()["a"], states()["b"]) == ("closed", "forced_open")
    assert AuditEntry.objects.filter(action="breaker.reset").count() == 1


def test_without_a_reason_nothing_happens_and_the_choice_stays(sign_in: SignIn) -> None:
    response = sign_in("olga").post(ADDRESS, given("a", "held", reason=" "))

    assert response.status_code == 422
    assert offered(response.content.decode()) == {"a": True, "held": True}
    assert "Say why" in response.content.decode()
    assert states()["a"] == "open"


@pytest.mark.parametrize("method", ["get", "post"])
def test_choosing_nothing_does_nothing_and_says_how_to_choose(sign_in: SignIn, method: str) -> None:
    response = getattr(sign_in("olga"), method)(ADDRESS, {"reason": "x", "request_id": str(uuid4())})

    assert response.status_code == {"get": 200, "post": 422}[method]
    assert "Nothing is chosen." in response.content.decode()


def test_a_name_that_no_database_keeps_is_nobody_s(sign_in: SignIn) -> None:
    client = sign_in("olga")

    assert "Nothing is chosen." in client.get(ADDRESS, {"name": "\0"}).content.decode()
    assert client.post(ADDRESS, given("\0")).status_code == 422


def test_a_viewer_is_refused(sign_in: SignIn) -> None:
    client = sign_in("viktor")

    assert client.get(ADDRESS, {"name": "a"}).status_code == 403
    assert client.post(ADDRESS, given("a")).status_code == 403
    assert states()["a"] == "open"


def test_a_post_from_elsewhere_is_refused(sign_in: SignIn) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sign_in("olga").cookies

    assert strict.post(ADDRESS, given("a")).status_code == 403


def test_the_preview_asks_as_often_for_many_as_for_few(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("olga")

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(ADDRESS, {"all": "yes", "state": "not_closed"})
        return len(captured)

    few = asked()
    for number in range(20):
        opened(f"b{number}", now)
    assert asked() == few
