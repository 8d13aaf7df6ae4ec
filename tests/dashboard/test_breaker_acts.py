"""An operator's hand on one breaker: with a reason, once, by who may, and honest about how far the news has come."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from featurememory.circuit_breaker.commands import Order, force_open_breaker
from featurememory.models import AuditEntry, Breaker, BreakerEvent
from tests.browser.scenarios import KINDS
from tests.dashboard.breakers import opened

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
AUDIOLDM, MUSICGEN = KINDS[0].breaker, KINDS[1].breaker
ACTIONS = ["reset", "release", "force-open", "disable", "metrics-only"]


def given(reason: str = "the GPU is back", **more: str) -> dict[str, str]:
    return {"reason": reason, "request_id": str(uuid4())} | more


def hidden(page: str) -> dict[str, str]:
    """What the confirmation page would send of itself."""
    return dict(re.findall(r'<input type="hidden" name="(request_id|looked_at)" value="([^"]*)"', page))


@pytest.mark.parametrize(
    ("action", "name", "state"),
    [
        ("reset", AUDIOLDM, "closed"),
        ("force-open", AUDIOLDM, "forced_open"),
        ("disable", AUDIOLDM, "disabled"),
        ("metrics-only", AUDIOLDM, "metrics_only"),
        ("release", MUSICGEN, "closed"),
    ],
)
def test_an_operator_acts_with_a_reason_and_it_is_audited(
    situation: Build, sign_in: SignIn, action: str, name: str, state: str
) -> None:
    situation("incident")
    client = sign_in("olga")
    before, sent = AuditEntry.objects.count(), given()

    response = client.post(reverse(f"breaker-{action}", args=[name]), sent, follow=True)

    assert Breaker.objects.get(name=name).state == state
    assert response.redirect_chain == [(reverse("breaker", args=[name]), 302)]
    assert 'class="banner banner-ok" role="status" tabindex="-1" autofocus' in response.content.decode()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert AuditEntry.objects.count() == before + 1
    assert (entry.actor, entry.reason, entry.subject) == ("olga", "the GPU is back", name)
    assert entry.request_id == UUID(sent["request_id"])


@pytest.mark.parametrize("action", ["force-open", "disable", "metrics-only"])
def test_what_is_laid_over_a_breaker_may_end_by_itself(
    situation: Build, sign_in: SignIn, now: datetime, action: str
) -> None:
    situation("incident")
    client = sign_in("olga")

    with time_machine.travel(now, tick=False):
        response = client.post(
            reverse(f"breaker-{action}", args=[AUDIOLDM]), given(minutes="60"), follow=True
        )

    event = BreakerEvent.objects.first()
    assert event is not None
    assert event.overlay_until == now + timedelta(hours=1)
    assert f"until {event.overlay_until:%H:%M} UTC, unless somebody" in response.content.decode()


@pytest.mark.parametrize("action", ["reset", "release"])
def test_what_has_no_end_is_not_asked_for_one(situation: Build, sign_in: SignIn, action: str) -> None:
    situation("incident")

    page = sign_in("olga").get(reverse(f"breaker-{action}", args=[MUSICGEN])).content.decode()

    assert "For how long" not in page


def test_only_what_suits_its_state_is_offered(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("olga")

    def offered(name: str) -> list[str]:
        page = client.get(reverse("breaker", args=[name])).content.decode()
        return [action for action in ACTIONS if reverse(f"breaker-{action}", args=[name]) in page]

    assert offered(AUDIOLDM) == ["reset", "force-open", "disable", "metrics-only"]
    assert offered(MUSICGEN) == ["reset", "release", "disable", "metrics-only"]


@pytest.mark.parametrize("action", ACTIONS)
def test_news_that_could_not_be_handed_on_is_never_plain_success(
    situation: Build, sign_in: SignIn, deaf_bus: None, action: str
) -> None:
    situation("incident")

    page = sign_in("olga").post(reverse(f"breaker-{action}", args=[MUSICGEN]), given(), follow=True)

    told = page.content.decode()
    if action == "force-open":  # it is so already but for its end
        assert Breaker.objects.get(name=MUSICGEN).state == "forced_open"
    assert "The news could not be handed on at once" in told
    assert "banner-ok" not in told


def test_what_changes_nothing_has_no_news_to_hand_on(
    situation: Build, sign_in: SignIn, deaf_bus: None
) -> None:
    situation("normal")

    page = sign_in("olga").post(reverse("breaker-release", args=[AUDIOLDM]), given(), follow=True)

    assert "banner-ok" in page.content.decode()


@pytest.mark.parametrize("page", ["breaker-reset", "admin:featurememory_breaker_reset"])
def test_what_another_operator_did_meanwhile_is_not_undone_unseen(
    situation: Build, sign_in: SignIn, page: str
) -> None:
    situation("incident")
    client, breaker = sign_in("admin"), Breaker.objects.get(name=AUDIOLDM)
    address = reverse(page, args=[breaker.pk if page.startswith("admin") else AUDIOLDM])
    sent = hidden(client.get(address).content.decode()) | {"reason": "the GPU is back"}
    force_open_breaker(AUDIOLDM, Order("bob", "it burns"))

    refused = client.post(address, sent)

    assert refused.status_code == 422
    assert "bob has acted on it meanwhile: “it burns”" in refused.content.decode()
    assert Breaker.objects.get(name=AUDIOLDM).state == "forced_open"
    meant = hidden(refused.content.decode()) | {"reason": "it does not"}
    for _ in range(2):
        assert client.post(address, meant).status_code == 302
    assert Breaker.objects.get(name=AUDIOLDM).state == "closed"


def test_what_the_breaker_did_meanwhile_stops_nobody(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client, address = sign_in("olga"), reverse("breaker-force-open", args=[KINDS[4].breaker])
    sent = hidden(client.get(address).content.decode()) | {"reason": "maintenance"}
    opened(KINDS[4].breaker, timezone.now())

    assert client.post(address, sent).status_code == 302


def test_a_double_submit_acts_once(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client, sent = sign_in("olga"), given()
    events, audits = BreakerEvent.objects.count(), AuditEntry.objects.count()

    for _ in range(2):
        assert client.post(reverse("breaker-reset", args=[AUDIOLDM]), sent).status_code == 302

    assert BreakerEvent.objects.count() == events + 1
    assert AuditEntry.objects.count() == audits + 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
def test_without_a_proper_reason_nothing_happens(situation: Build, sign_in: SignIn, reason: str) -> None:
    situation("incident")
    client = sign_in("olga")
    audits = AuditEntry.objects.count()

    response = client.post(reverse("breaker-reset", args=[AUDIOLDM]), given(reason))

    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert Breaker.objects.get(name=AUDIOLDM).state == "open"
    assert AuditEntry.objects.count() == audits


@pytest.mark.parametrize("minutes", ["-5", "7", "soon"])
def test_only_the_ends_that_are_offered_are_taken(situation: Build, sign_in: SignIn, minutes: str) -> None:
    situation("incident")

    response = sign_in("olga").post(reverse("breaker-disable", args=[AUDIOLDM]), given(minutes=minutes))

    assert response.status_code == 422
    assert Breaker.objects.get(name=AUDIOLDM).state == "open"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_viewer_is_refused(situation: Build, sign_in: SignIn, action: str) -> None:
    situation("incident")
    client = sign_in("viktor")
    address = reverse(f"breaker-{action}", args=[AUDIOLDM])

    assert client.get(address).status_code == 403
    assert client.post(address, given()).status_code == 403
    assert Breaker.objects.get(name=AUDIOLDM).state == "open"


def test_a_post_from_elsewhere_is_refused(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sign_in("olga").cookies

    response = strict.post(reverse("breaker-reset", args=[AUDIOLDM]), given())

    assert response.status_code == 403


def test_asking_for_the_confirmation_changes_nothing(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    versions = list(Breaker.objects.values_list("name", "version"))

    page = sign_in("olga").get(reverse("breaker-reset", args=[AUDIOLDM])).content.decode()

    assert f"Reset {AUDIOLDM}?" in page
    assert list(Breaker.objects.values_list("name", "version")) == versions


def test_an_unknown_breaker_is_not_found(db: None, sign_in: SignIn) -> None:
    client = sign_in("olga")

    assert client.get("/breakers/nobody/reset/").status_code == 404
    assert client.post("/breakers/nobody/reset/", given()).status_code == 404


@pytest.mark.parametrize("action", ACTIONS)
def test_the_admin_offers_each_action_too(situation: Build, sign_in: SignIn, action: str) -> None:
    situation("incident")
    breaker = Breaker.objects.get(name=MUSICGEN)
    address = reverse(f"admin:featurememory_breaker_{action}", args=[breaker.pk])
    client = sign_in("admin")

    record = client.get(reverse("admin:featurememory_breaker_change", args=[breaker.pk])).content.decode()
    assert f'href="../{action}/"' in record
    assert client.get(address).status_code == 200
    assert client.post(address, given(minutes="15")).status_code == 302
    assert AuditEntry.objects.first().actor == "admin"  # type: ignore[union-attr]


def test_the_admin_does_not_promise_what_could_not_be_handed_on_either(
    situation: Build, sign_in: SignIn, deaf_bus: None
) -> None:
    situation("incident")
    breaker = Breaker.objects.get(name=AUDIOLDM)
    client = sign_in("olga")
    User.objects.filter(username="olga").update(is_staff=True)

    page = client.post(
        reverse("admin:featurememory_breaker_reset", args=[breaker.pk]), given(), follow=True
    ).content.decode()

    assert '<li class="warning">' in page
    assert "The news could not be handed on at once" in page
