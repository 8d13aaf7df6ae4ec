"""One breaker's page: its two states, its figures, its history, who has applied what."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from featurememory.circuit_breaker.commands import (
    Order,
    disable_breaker,
    force_open_breaker,
    only_measure_breaker,
)
from featurememory.circuit_breaker.configuration import Scope, configure
from featurememory.models import Breaker, BreakerEvent, LocalTransition
from tests.dashboard.breakers import closed, flapped, follower, newest_event, opened, tell

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
NAME = "text_to_audio:audioldm2"
SECOND = timedelta(seconds=1)


@pytest.fixture
def look(sign_in: SignIn) -> Callable[..., str]:
    """The text of the breaker's page at a moment, without markup."""
    client = sign_in("viktor")

    def text(name: str = NAME, at: datetime | None = None) -> str:
        if at is None:
            return _text(client, name)
        with time_machine.travel(at, tick=False):
            return _text(client, name)

    return text


def _text(client: Client, name: str) -> str:
    response = client.get(reverse("breaker", args=[name]))
    assert response.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))).replace(
        "\u00a0", " "
    )


def test_a_breaker_that_nobody_holds_says_so(db: None, look: Any, now: datetime) -> None:
    opened(NAME, now)

    text = look(at=now)

    assert "Callers meet Open Refuses calls. 5 failures in a row reached max_failures = 5" in text
    assert "By itself Open The same: no operator holds it." in text


def test_what_an_operator_holds_stands_beside_what_it_computes(db: None, look: Any, now: datetime) -> None:
    opened(NAME, now - SECOND)
    with time_machine.travel(now, tick=False):
        only_measure_breaker(NAME, Order("olga", "trying", until=now + timedelta(minutes=5)))

    text = look(at=now)

    assert "Callers meet Only measuring" in text
    assert "By olga: “trying”" in text
    assert f"Until {now + timedelta(minutes=5):%Y-%m-%d %H:%M:%S} UTC" in text
    assert "By itself Open It is held; without that it refuses calls." in text


def test_who_holds_it_stays_in_sight_whatever_it_computes_meanwhile(
    db: None, look: Any, now: datetime
) -> None:
    closed(NAME, now)
    with time_machine.travel(now, tick=False):
        only_measure_breaker(NAME, Order("olga", "trying"))
    opened(NAME, now + SECOND)

    text = look(at=now + SECOND)

    assert "By olga: “trying”" in text
    assert "Until somebody releases or resets it" in text
    assert "By itself Open" in text
    assert "Only measuring by itself open" in text


def test_the_next_probe_counts_down_and_is_never_stuck(db: None, look: Any, now: datetime) -> None:
    opened(NAME, now)

    assert "Next probe" in look(at=now)
    later = look(at=now + 2 * SECOND)
    assert "Next probe" not in later
    assert re.search(r"May probe since [-0-9: ]+ UTC ?; the next call is the probe", later)


def test_figures_stand_against_what_they_are_measured_by(db: None, look: Any, now: datetime) -> None:
    configure(Scope.DEFAULT, "", {"slow_call_duration_ms": 1_000}, actor="olga", reason="x")
    tell(NAME, "success", 17, now)
    tell(NAME, "success", 2, now, duration_s=2)
    tell(NAME, "failure", 3, now)

    text = look(at=now)

    assert "Failures in a row 3 of 5 5 failures in a row open it" in text
    assert "Failure rate 13.6 % 3 of 22 calls failed; 50 % opens it" in text
    assert "Slow-call rate 9.09 % 2 of 22 calls lasted 1 s or longer; 100 % opens it" in text
    assert "Probes none 3 probes decide once it may probe" in text


def test_a_rate_of_too_few_calls_is_not_judged(db: None, look: Any, now: datetime) -> None:
    tell(NAME, "failure", 2, now)

    assert "Failure rate – not judged yet: 2 of 2 calls failed; it takes 20 calls" in look(at=now)


def test_probes_are_counted_out_of_how_many(db: None, look: Any, now: datetime) -> None:
    opened(NAME, now - 10 * SECOND)
    tell(NAME, "success", 1, now)

    text = look(at=now)

    assert "Callers meet Probing" in text
    assert "Probes 0 of 3 out 1 back, 0 of them failed; 3 probes decide" in text
    assert "0 of 1 probe failed; 50 % opens it" in text
    assert re.search(r"Gives up [-0-9: ]+ UTC on what is not heard of by then", text)


@pytest.mark.parametrize("hold", [force_open_breaker, disable_breaker])
def test_figures_that_stand_still_are_said_to(db: None, look: Any, now: datetime, hold: Any) -> None:
    closed(NAME, now)
    hold(NAME, Order("olga", "x"))

    assert "it takes no results: these figures are from before" in look()


def test_it_tells_live_who_has_applied_the_last_command(db: None, sign_in: SignIn, now: datetime) -> None:
    closed(NAME, now)
    force_open_breaker(NAME, Order("olga", "x"))
    event, client = newest_event(NAME), sign_in("viktor")
    assert "no process is connected; whoever connects learns of it at once" in _text(client, NAME)

    follower("late-host", now)
    follower("quick-host", now, event, after_ms=4)
    text = _text(client, NAME)
    assert "olga forced it open" in text
    assert "applied by 1 of 2 connected processes in 4 ms" in text
    assert "Waiting for late-host" in text
    assert "data-soon" in client.get(reverse("breaker", args=[NAME])).content.decode()


def test_who_still_has_not_is_named_and_no_longer_waited_for(
    db: None, sign_in: SignIn, now: datetime
) -> None:
    with time_machine.travel(now - timedelta(minutes=2)):
        closed(NAME, now)
        force_open_breaker(NAME, Order("olga", "x"))
    follower("lost-host", now)

    page = sign_in("viktor").get(reverse("breaker", args=[NAME])).content.decode()

    assert "Not applied by <span" in page
    assert "data-soon" not in page


def test_the_history_is_newest_first_and_each_change_a_click_from_its_causes(
    situation: Build, sign_in: SignIn
) -> None:
    situation("incident")

    page = sign_in("viktor").get(reverse("breaker", args=[NAME])).content.decode()

    sequences = BreakerEvent.objects.filter(breaker__name=NAME).values_list("sequence", flat=True)
    places = [page.index(f'id="event-{sequence}"') for sequence in sequences]
    assert len(places) == 15
    assert places == sorted(places)
    for sequence in sequences:
        assert reverse("breaker-event", args=[sequence]) in page


def test_earlier_events_are_a_page_away(db: None, sign_in: SignIn, now: datetime) -> None:
    flapped(NAME, 12, now - timedelta(hours=2))
    client, address = sign_in("viktor"), reverse("breaker", args=[NAME])

    first = client.get(address).content.decode()
    earlier = re.search(r'href="(\?before=\d+)"', first)
    assert earlier is not None
    second = client.get(address + earlier[1]).content.decode()

    found = [re.findall(r'id="event-(\d+)"', page) for page in (first, second)]
    assert [len(each) for each in found] == [30, 6]
    assert int(min(found[0], key=int)) > int(max(found[1], key=int))


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, ""])
def test_a_place_in_the_history_that_makes_no_sense_is_its_beginning(
    db: None, sign_in: SignIn, now: datetime, before: str
) -> None:
    opened(NAME, now)

    page = sign_in("viktor").get(reverse("breaker", args=[NAME]) + f"?before={before}")

    assert 'id="event-' in page.content.decode()


def test_what_single_processes_reported_has_a_section_only_when_there_is_any(
    db: None, look: Any, now: datetime
) -> None:
    closed(NAME, now)
    assert "What single processes reported" not in look()

    LocalTransition.objects.create(
        instance="host-7", number=1, name=NAME, from_state="closed", to_state="open", cause="max_failures",
        message="5 failures in a row", at=now, received_at=now,
    )  # fmt: skip

    text = look()
    assert "What single processes reported" in text
    assert "Closed Open" in text
    assert "host-7 5 failures in a row" in text


def test_it_tells_which_settings_are_not_the_defaults_and_where_they_come_from(
    db: None, look: Any, now: datetime
) -> None:
    closed(NAME, now)
    assert "All its settings are the defaults." in look()
    configure(Scope.DEFAULT, "", {"max_failures": 9}, actor="olga", reason="x")
    configure(Scope.OPERATION_TYPE, "text_to_audio", {"window_size": 50}, actor="olga", reason="x")
    configure(Scope.BREAKER, NAME, {"reset_timeout_ms": 3_000}, actor="olga", reason="x")
    Breaker.objects.update(declared={"half_open_permits": 1, "max_failures": 2})

    text = look()

    assert "Failures in a row 9 failures for all breakers" in text
    assert "Size of the window 50 for operation type text_to_audio" in text
    assert "Waiting time 3 s for this breaker" in text
    assert "Probes 1 probe by its callers’ SDK" in text


def test_the_page_asks_as_often_for_a_long_history_as_for_a_short_one(
    db: None, sign_in: SignIn, now: datetime
) -> None:
    client = sign_in("olga")

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("breaker", args=[NAME]))
        return len(captured)

    closed(NAME, now)
    short = asked()
    flapped(NAME, 15, now)
    for number in range(9):
        follower(f"host-{number}", now)

    assert asked() == short <= 13


def test_a_refresh_gets_its_part_alone(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    part = (
        sign_in("viktor")
        .get(reverse("breaker", args=[NAME]), headers={"HX-Request": "true"})
        .content.decode()
    )

    assert part.startswith('<section class="card" aria-label="State"')
    assert "<html" not in part


def test_an_unknown_breaker_is_not_found(db: None, sign_in: SignIn) -> None:
    assert sign_in("olga").get("/breakers/nobody/").status_code == 404


def test_a_name_with_slashes_and_spaces_has_a_page(db: None, look: Any, now: datetime) -> None:
    closed("text/to audio:möglich?", now)

    assert "text/to audio:möglich?" in look("text/to audio:möglich?")
