"""One's own account: role in words, e-mail, and sessions that end at once where they are told to."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from dashboard.browsers import browser_in_words
from featurememory.accounts.sessions import LATELY, forget_old_sessions
from featurememory.models import AuditEntry, SignIn
from tests.browser.scenarios import PASSWORD
from tests.dashboard.test_optimizations import page_of, text_of

Enter = Callable[[str], Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def entered(agent: str, address: str, password: str = PASSWORD) -> Client:
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": agent})
    assert client.post("/login/", {"username": "olga", "password": password}).status_code == 302
    return client


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iOS"),
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/140.0", "Edge on Windows"),
        ("curl/8.14.1", "curl"),
        ("", "a browser that does not say its name"),
        ("thing", "another browser"),
    ],
)
def test_a_browser_is_known_by_what_it_says(agent: str, words: str) -> None:
    assert browser_in_words(agent) == words


def test_it_says_who_one_is_and_what_one_may_do(sign_in: Enter) -> None:
    assert "Viewer: sees every page, changes nothing." in text_of(page_of(sign_in("viktor"), "/account/"))
    assert "Administrator: does all that operators do" in text_of(page_of(sign_in("admin"), "/account/"))


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(sign_in: Enter) -> None:
    sign_in("admin")
    here, phone, old = (
        entered(FIREFOX, "192.0.2.1"),
        entered(SAFARI, "192.0.2.2"),
        entered(CHROME, "192.0.2.3"),
    )

    page = page_of(here, "/account/")
    assert "Firefox on Linux This one" in text_of(page)
    assert "Safari on iOS" in text_of(page)
    assert str(phone.session.session_key) not in page
    pk = SignIn.objects.get(address="192.0.2.2").pk
    assert here.post(f"/account/sessions/{pk}/end/").status_code == 302

    assert phone.get("/").status_code == 302
    assert old.get("/").status_code == 200
    here.post("/account/sessions/end-others/")
    assert old.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert SignIn.objects.filter(user__username="olga").count() == 1
    assert AuditEntry.objects.filter(action="account.sign_out").count() == 2


def test_nobody_ends_a_session_of_somebody_else_or_this_one_by_it(sign_in: Enter) -> None:
    viktor, olga = sign_in("viktor"), entered(FIREFOX, "192.0.2.1")
    theirs = SignIn.objects.get(user__username="olga").pk

    assert viktor.post(f"/account/sessions/{theirs}/end/").status_code == 404
    assert olga.post(f"/account/sessions/{theirs}/end/").status_code == 404
    assert olga.get("/").status_code == 200


def test_another_password_ends_the_other_sessions(sign_in: Enter) -> None:
    sign_in("admin")
    here, other, new = (
        entered(FIREFOX, "192.0.2.1"),
        entered(SAFARI, "192.0.2.2"),
        "a rather different staple",
    )

    here.post("/account/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})

    assert other.get("/").status_code == 302
    assert "1 other session signed out" in page_of(here, "/account/")
    assert AuditEntry.objects.get(action="account.password").subject == "olga"


def test_an_e_mail_address_is_kept_or_refused(sign_in: Enter) -> None:
    client = sign_in("viktor")

    refused = client.post("/account/", {"email": "nowhere"})
    kept = client.post("/account/", {"email": "viktor@example.com"})

    assert (refused.status_code, kept.status_code) == (422, 302)
    assert User.objects.get(username="viktor").email == "viktor@example.com"
    assert AuditEntry.objects.get().after == {"email": "viktor@example.com"}


def test_who_is_idle_for_too_long_is_signed_out(sign_in: Enter, now: datetime, settings: Any) -> None:
    client = sign_in("olga")
    hours = settings.CONFIGURATION.session_idle_hours
    SignIn.objects.update(seen_at=now - timedelta(hours=hours - 1))
    LATELY.forget()
    assert client.get("/").status_code == 200
    assert SignIn.objects.get(user__username="olga").seen_at >= now

    SignIn.objects.update(seen_at=now - timedelta(hours=hours + 1))
    LATELY.forget()

    assert client.get("/").status_code == 302
    assert not SignIn.objects.filter(user__username="olga").exists()


def test_being_there_is_noted_once_a_minute(sign_in: Enter, django_assert_num_queries: Any) -> None:
    client = sign_in("olga")
    client.get("/account/")

    with django_assert_num_queries(2):  # session, person
        client.get("/login/")


def test_sessions_that_ran_out_are_forgotten_with_their_rows(sign_in: Enter, now: datetime) -> None:
    sign_in("olga")
    Client().force_login(User.objects.get(username="viktor"))
    Session.objects.filter(sign_in__user__username="olga").update(expire_date=now - timedelta(days=1))

    forget_old_sessions(now)

    assert [each.user.username for each in SignIn.objects.all()] == ["viktor"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(sign_in: Enter) -> None:
    sign_in("admin")
    answer = Client().post("/login/", {"username": "olga", "password": PASSWORD})
    cookie = answer.cookies["sessionid"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 14 * 86_400
    assert not re.search(r"secure", str(cookie), re.IGNORECASE)  # plain HTTP at one's desk
