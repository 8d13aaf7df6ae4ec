"""The list of breakers: which stand first, which are shown, what each row says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from featurememory.circuit_breaker.commands import (
    Order,
    force_open_breaker,
    only_measure_breaker,
    reset_breaker,
)
from featurememory.models import Breaker
from tests.browser.scenarios import KINDS
from tests.dashboard.breakers import closed, flapped, follower, newest_event, opened, tell

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
AUDIOLDM, MUSICGEN = KINDS[0].breaker, KINDS[1].breaker


def page_of(client: Client, path: str = "/breakers/", **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def names(page: str) -> list[str]:
    return re.findall(r'<a class="name" href="[^"]*">([^<]*)</a>', page)


def test_breakers_that_need_an_eye_stand_first(db: None, sign_in: SignIn, now: datetime) -> None:
    for name in "abcdefg":
        closed(name, now)
    opened("g", now)
    force_open_breaker("f", Order("olga", "x"))
    opened("e", now - timedelta(minutes=1))
    tell("e", "success", 1, now)
    only_measure_breaker("d", Order("olga", "x"))

    assert names(page_of(sign_in("viktor"))) == ["g", "f", "e", "d", "a", "b", "c"]


def test_those_that_need_an_eye_are_shown_even_if_they_changed_long_ago(
    db: None, sign_in: SignIn, now: datetime
) -> None:
    opened("old trouble", now - timedelta(days=3))
    Breaker.objects.bulk_create(Breaker(name=f"b{n:03}", changed_at=now, created_at=now) for n in range(250))

    page = page_of(sign_in("viktor"))

    assert names(page)[0] == "old trouble"
    assert len(names(page)) == 200
    assert "These are the 200 that need an eye first" in page


def test_a_forced_state_is_told_from_what_the_breaker_computed(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    page = page_of(sign_in("viktor"), "/breakers/?state=forced_open")

    assert "by itself closed" in page
    assert re.search(r'ends <time [^>]*data-show="countdown"', page)


def test_filters_come_from_the_address(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("viktor")
    chosen = Breaker.objects.filter(name__in=(AUDIOLDM, MUSICGEN)).values_list("pk", flat=True)

    assert names(page_of(client, "/breakers/?state=open")) == [AUDIOLDM]
    assert len(names(page_of(client, "/breakers/?state=not_closed"))) == 4
    assert len(names(page_of(client, "/breakers/?text=EMBEDDING"))) == 2
    assert len(names(page_of(client, "/breakers/?only=" + ",".join(map(str, chosen))))) == 2
    assert "None of the 6 breakers fits the filter" in page_of(client, "/breakers/?text=nobody")


@pytest.mark.parametrize("query", ["state=nonsense", "text=%00", "only=x,-1,", f"only={10**30}"])
def test_what_makes_no_sense_in_the_address_filters_nothing(
    situation: Build, sign_in: SignIn, query: str
) -> None:
    situation("incident")

    assert len(names(page_of(sign_in("viktor"), f"/breakers/?{query}"))) == 6


def test_no_breaker_yet_says_how_one_comes_into_being(situation: Build, sign_in: SignIn) -> None:
    situation("empty")

    page = page_of(sign_in("olga"))

    assert "No breaker yet. One comes into being with the first operation" in page
    assert "Reset" not in page


def test_an_open_breaker_counts_down_and_then_says_what_it_waits_for(
    db: None, sign_in: SignIn, now: datetime
) -> None:
    opened("b", now)
    client = sign_in("viktor")

    with time_machine.travel(now, tick=False):
        assert "Next probe <time" in page_of(client)
    with time_machine.travel(now + timedelta(seconds=2), tick=False):
        page = page_of(client)
    assert "Next probe" not in page
    assert "The next call is a probe" in page


def test_a_hold_that_is_over_is_not_shown_as_holding(db: None, sign_in: SignIn, now: datetime) -> None:
    closed("b", now)
    force_open_breaker("b", Order("olga", "a minute", until=now + timedelta(minutes=1)))

    with time_machine.travel(now + timedelta(minutes=2), tick=False):
        page = page_of(sign_in("viktor"))

    assert '<span class="chip chip-ok">' in page
    assert "The time of “forced open” is over." in page
    assert "by itself closed" not in page


def test_a_row_says_how_far_the_last_command_has_come(db: None, sign_in: SignIn, now: datetime) -> None:
    closed("b", now)
    reset_breaker("b", Order("olga", "fixed"))
    for number in range(2):
        follower(f"host-{number}", now, newest_event("b"))
    client = sign_in("viktor")
    assert "Applied by all 2 connected processes in 12 ms" in page_of(client).replace("\u00a0", " ")

    follower("host-2", now)

    page = page_of(client).replace("\u00a0", " ")
    assert "Applied by 2 of 3 connected processes in 12 ms, not by host-2" in page
    assert "data-soon" in page


def test_a_command_that_everybody_knows_is_no_news_for_long(db: None, sign_in: SignIn, now: datetime) -> None:
    with time_machine.travel(now - timedelta(hours=1)):
        closed("b", now)
        reset_breaker("b", Order("olga", "fixed"))
    follower("host", now, newest_event("b"))

    assert "Applied by" not in page_of(sign_in("viktor"))


def test_the_list_asks_as_often_for_many_breakers_as_for_few(
    db: None, sign_in: SignIn, now: datetime
) -> None:
    client = sign_in("olga")

    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            page_of(client)
        return [query["sql"] for query in captured]

    flapped("b0", 3, now - timedelta(hours=1))
    reset_breaker("b0", Order("olga", "x"))
    follower("host-0", now)
    few = asked()
    for number in range(1, 12):
        flapped(f"b{number}", 2, now - timedelta(hours=1))
        reset_breaker(f"b{number}", Order("olga", "x"))
        follower(f"host-{number}", now)

    assert len(asked()) == len(few) <= 13
    assert [sql for sql in asked() if "ROW_NUMBER" in sql] == []


def test_a_refresh_gets_the_rows_alone(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    part = page_of(sign_in("viktor"), **{"HX-Request": "true"})

    assert part.startswith("<ul")
    assert "<html" not in part


def test_only_who_may_act_is_offered_to(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    may, may_not = page_of(sign_in("olga")), page_of(sign_in("viktor"))

    for offered in ('type="checkbox"', "Reset the chosen", "/reset/", "breaker-settings"):
        assert offered in may
        assert offered not in may_not


@pytest.mark.parametrize(
    ("query", "says", "touches"),
    [
        ("", "Reset all that are not closed…", "all=yes&amp;state=not_closed"),
        ("?text=audio", "Reset all that match and are not closed…", "state=not_closed&amp;text=audio"),
        ("?state=open&text=audio", "Reset all that match…", "state=open&amp;text=audio"),
    ],
)
def test_all_that_match_can_be_reset(
    situation: Build, sign_in: SignIn, query: str, says: str, touches: str
) -> None:
    situation("incident")

    page: Any = page_of(sign_in("olga"), f"/breakers/{query}")

    assert says in page
    assert touches in page
