"""Who gets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import clear_script_prefix, reverse, set_script_prefix

from tests.browser.scenarios import PASSWORD

SignIn = Callable[[str], Client]
PAGES = [
    "/",
    "/breakers/",
    "/breakers/a:b/",
    "/breakers/a:b/reset/",
    "/patterns/",
    "/patterns/map/",
    "/patterns/map.csv",
    "/patterns/1000000001/",
    "/patterns/1000000001/merge/",
    "/resources/",
    "/resources/limits/",
    "/resources/cleanup/",
    "/resources/cleanups/1/",
    "/resources/chart.csv",
    "/overview/status/",
    "/health/",
    "/health/watch/",
    "/jobs/",
    "/jobs/merge_patterns/run/",
    "/overview/chart.csv",
    "/validation/",
    "/validation/1/",
    "/validation/chart.csv",
    "/operations/",
    "/operations/export/",
    "/operations/00000000-0000-4000-8000-000000000064/",
]


@pytest.mark.parametrize("address", PAGES)
def test_a_stranger_is_sent_to_the_login_and_back(db: Any, client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 302
    assert unquote(response.headers["Location"]) == f"{reverse('login')}?next={address}"


def test_a_refresh_after_the_session_ended_turns_the_whole_page(db: Any, client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/?range=6h"}

    response = client.get(reverse("overview-status"), headers=headers)

    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/login/?next=%2F%3Frange%3D6h"


def test_signing_in_leads_on_and_out_again(sign_in: SignIn) -> None:
    client = Client()

    led = client.post("/login/", {"username": "olga", "password": PASSWORD, "next": "/breakers/"})
    out = client.post("/logout/")

    assert led.headers["Location"] == "/breakers/"
    assert out.headers["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_signing_out_takes_a_post(sign_in: SignIn) -> None:
    assert sign_in("olga").get("/logout/").status_code == 405


def test_after_ten_wrong_passwords_the_door_stays_shut(sign_in: SignIn) -> None:
    client = Client()

    answers = [client.post("/login/", {"username": "olga", "password": "wrong"}) for _ in range(10)]
    right = client.post("/login/", {"username": "olga", "password": PASSWORD})

    assert answers[0].status_code == 200
    assert answers[-1].status_code == right.status_code == 429
    assert "Too many attempts" in right.content.decode()


def test_a_person_changes_their_password(sign_in: SignIn) -> None:
    client = sign_in("viktor")
    new = "a rather different staple"

    client.post(
        reverse("account-password"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )

    fresh = Client()
    assert fresh.post("/login/", {"username": "viktor", "password": PASSWORD}).status_code == 200
    assert fresh.post("/login/", {"username": "viktor", "password": new}).status_code == 302


def test_missing_and_forbidden_pages_wear_the_same_clothes(sign_in: SignIn) -> None:
    client = sign_in("viktor")

    missing, forbidden = client.get("/no-such-page/"), client.get("/admin/", follow=True)

    assert missing.status_code == 404
    assert "Nothing here" in missing.content.decode()
    assert forbidden.status_code == 403
    assert "Not allowed" in forbidden.content.decode()


def test_pages_name_no_other_origin_and_no_inline_code(sign_in: SignIn) -> None:
    page = sign_in("admin").get("/").content.decode()

    assert "style=" not in page
    assert "onclick" not in page
    assert "https://" not in page


@pytest.fixture
def below_memory() -> Iterator[None]:
    """Served below the path /memory, as FEATUREMEMORY_SUB_PATH makes it."""
    set_script_prefix("/memory/")
    yield
    clear_script_prefix()


@pytest.mark.usefixtures("below_memory")
@pytest.mark.parametrize("situation_name", ["empty", "incident"])
@pytest.mark.parametrize("address", ["/", "/breakers/"])
def test_below_a_sub_path_every_link_stays_there(
    sign_in: SignIn, situation: Callable[[str], None], situation_name: str, address: str
) -> None:
    situation(situation_name)

    page = sign_in("admin").get(address).content.decode()

    links = re.findall(r'(?:href|hx-get|action|src)="(/(?!static/)[^"]*)"', page)
    assert links
    assert [link for link in links if not link.startswith("/memory/")] == []


@pytest.mark.usefixtures("below_memory")
def test_below_a_sub_path_the_first_steps_can_be_pasted_as_they_are(
    sign_in: SignIn, situation: Callable[[str], None]
) -> None:
    situation("empty")

    page = sign_in("admin").get("/").content.decode()

    assert "curl -sS http://testserver/memory/api/v1/operations" in page
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://testserver/memory/v1/traces" in page
    assert "FeatureMemory(&quot;http://testserver/memory&quot;" in page


@pytest.mark.parametrize(
    "address",
    ["/breakers/%00/", "/breakers/a%00/reset/", "/breaker-settings/breaker/%00/", "/breakers/?state=%00"],
)
def test_what_no_database_can_hold_is_not_found_or_passed_over(address: str, sign_in: SignIn) -> None:
    """PostgreSQL refuses U+0000 in texts."""
    assert sign_in("viktor").get(address).status_code in (200, 404)
