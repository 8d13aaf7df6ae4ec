"""The breakers' pages and an operator's hand on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse

from featurememory.models import AuditEntry, Breaker, BreakerEvent
from tests.browser.scenarios import KINDS

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
AUDIOLDM, MUSICGEN = KINDS[0].breaker, KINDS[1].breaker


def _page(client: Client, path: str = "/breakers/", **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_breakers_that_need_an_eye_stand_first(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    page = _page(sign_in("viktor"))

    order = [page.index(f">{name}</a>") for name in (MUSICGEN, AUDIOLDM, KINDS[2].breaker, KINDS[3].breaker)]
    assert order == sorted(order)


def test_a_forced_state_is_told_from_what_the_breaker_computed(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("viktor")

    assert "by itself closed" in _page(client, "/breakers/?state=forced_open")
    assert "by itself it would be <strong>closed</strong>" in _page(
        client, reverse("breaker", args=[MUSICGEN])
    )


def test_filters_come_from_the_address(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("viktor")

    assert _page(client, "/breakers/?state=open").count("<li id=") == 1
    assert _page(client, "/breakers/?text=EMBEDDING").count("<li id=") == 2
    assert "None of the 6 breakers fits the filter" in _page(client, "/breakers/?text=nobody")
    assert _page(client, "/breakers/?state=nonsense").count("<li id=") == 6


def test_no_breaker_yet_is_another_sentence(situation: Build, sign_in: SignIn) -> None:
    situation("empty")

    assert "No breaker yet." in _page(sign_in("viktor"))


def test_the_list_asks_a_handful_of_queries(
    situation: Build, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("viktor")

    with django_assert_max_num_queries(7):
        _page(client)


def test_a_refresh_gets_the_rows_alone(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("viktor")

    for address in ("/breakers/", reverse("breaker", args=[AUDIOLDM])):
        part = _page(client, address, **{"HX-Request": "true"})
        assert part.lstrip().startswith(("<ul", "<section"))
        assert "<html" not in part


def test_a_breaker_tells_its_history_newest_first(situation: Build, sign_in: SignIn) -> None:
    situation("incident")

    page = _page(sign_in("viktor"), reverse("breaker", args=[AUDIOLDM]))

    sequences = BreakerEvent.objects.filter(breaker__name=AUDIOLDM).values_list("sequence", flat=True)
    places = [page.index(f'id="event-{sequence}"') for sequence in sequences]
    assert len(places) == 9
    assert places == sorted(places)


def test_earlier_events_are_a_page_away(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    first, second = BreakerEvent.objects.filter(breaker__name=AUDIOLDM).order_by("sequence")[:2]

    page = _page(sign_in("viktor"), reverse("breaker", args=[AUDIOLDM]) + f"?before={second.sequence}")

    assert f'id="event-{first.sequence}"' in page
    assert page.count('id="event-') == 1


@pytest.mark.parametrize("address", ["/breakers/nobody/", "/breakers/nobody/reset/"])
def test_an_unknown_breaker_is_not_found(db: Any, sign_in: SignIn, address: str) -> None:
    assert sign_in("olga").get(address).status_code == 404


@pytest.mark.parametrize(
    ("action", "name", "state"),
    [
        ("reset", AUDIOLDM, "closed"),
        ("force-open", AUDIOLDM, "forced_open"),
        ("disable", AUDIOLDM, "disabled"),
        ("release", MUSICGEN, "closed"),
    ],
)
def test_an_operator_acts_with_a_reason_and_it_is_audited(
    situation: Build, sign_in: SignIn, action: str, name: str, state: str
) -> None:
    situation("incident")
    client = sign_in("olga")
    before = AuditEntry.objects.count()
    request_id = str(uuid4())

    response = client.post(
        reverse(f"breaker-{action}", args=[name]),
        {"reason": "the GPU is back", "request_id": request_id},
        follow=True,
    )

    assert Breaker.objects.get(name=name).state == state
    assert response.redirect_chain == [(reverse("breaker", args=[name]), 302)]
    assert 'role="status" tabindex="-1" autofocus' in response.content.decode()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert AuditEntry.objects.count() == before + 1
    assert (entry.actor, entry.reason, entry.subject) == ("olga", "the GPU is back", name)
    assert entry.request_id == UUID(request_id)


def test_a_double_submit_acts_once(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("olga")
    address, given = (
        reverse("breaker-reset", args=[AUDIOLDM]),
        {"reason": "again", "request_id": str(uuid4())},
    )
    events, audits = BreakerEvent.objects.count(), AuditEntry.objects.count()

    for _ in range(2):
        assert client.post(address, given).status_code == 302

    assert BreakerEvent.objects.count() == events + 1
    assert AuditEntry.objects.count() == audits + 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
def test_without_a_proper_reason_nothing_happens(situation: Build, sign_in: SignIn, reason: str) -> None:
    situation("incident")
    client = sign_in("olga")
    address = reverse("breaker-reset", args=[AUDIOLDM])
    audits = AuditEntry.objects.count()

    response = client.post(address, {"reason": reason, "request_id": str(uuid4())})

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert Breaker.objects.get(name=AUDIOLDM).state == "open"
    assert AuditEntry.objects.count() == audits


@pytest.mark.parametrize("action", ["reset", "force-open", "disable", "release"])
def test_a_viewer_is_refused(situation: Build, sign_in: SignIn, action: str) -> None:
    situation("incident")
    client = sign_in("viktor")
    address = reverse(f"breaker-{action}", args=[AUDIOLDM])

    assert client.get(address).status_code == 403
    assert client.post(address, {"reason": "x", "request_id": str(uuid4())}).status_code == 403
    assert Breaker.objects.get(name=AUDIOLDM).state == "open"


def test_a_post_from_elsewhere_is_refused(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    cookies = sign_in("olga").cookies
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = cookies

    response = strict.post(
        reverse("breaker-reset", args=[AUDIOLDM]), {"reason": "x", "request_id": str(uuid4())}
    )

    assert response.status_code == 403


def test_asking_for_the_confirmation_changes_nothing(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    versions = list(Breaker.objects.values_list("name", "version"))

    page = _page(sign_in("olga"), reverse("breaker-reset", args=[AUDIOLDM]))

    assert f"Reset {AUDIOLDM}?" in page
    assert list(Breaker.objects.values_list("name", "version")) == versions


def test_a_name_with_slashes_and_spaces_has_a_page(db: Any, sign_in: SignIn, now: Any) -> None:
    name = "text/to audio:möglich?"
    Breaker.objects.create(name=name, changed_at=now, created_at=now)

    page = _page(sign_in("olga"), reverse("breaker", args=[name]))

    assert "text/to audio:möglich?" in page
