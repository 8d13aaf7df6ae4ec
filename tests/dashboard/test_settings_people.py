"""People: added, given roles, let in and kept out by administrators, of whom one is always left."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from featurememory.accounts import people
from featurememory.accounts.lockouts import forget_old_attempts, read_lockouts
from featurememory.accounts.people import LastAdministrator
from featurememory.audit import By
from featurememory.models import AuditEntry
from featurememory.models import SignIn as SignInRecord
from featurememory.roles import ADMINISTRATOR, administrators, role_of
from tests.browser.access_scene import locked_out
from tests.browser.scenarios import PASSWORD
from tests.browser.scenarios import people as everybody
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
PAGE = "/settings/people/"


def given(**fields: Any) -> dict[str, Any]:
    return {"reason": "a change in the team", "request_id": str(uuid4())} | fields


def id_of(name: str) -> int:
    return User.objects.get(username=name).pk


def password_in(page: str) -> str:
    found = re.search(r'<pre id="snippet-password"[^>]*>([\w-]{27})</pre>', page)
    assert found is not None
    return found[1]


def signed_in(name: str, password: str) -> Client:
    client = Client()
    client.post("/login/", {"username": name, "password": password})
    return client


def test_a_person_is_added_once_and_asked_to_choose_a_password(sign_in: SignIn) -> None:
    admin, form = sign_in("admin"), given(name="petra", role="operator")

    made, again = admin.post(f"{PAGE}add/", form), admin.post(f"{PAGE}add/", form)

    password = password_in(made.content.decode())
    assert "no-store" in made.headers["Cache-Control"]
    assert "by your first submit" in again.content.decode()
    petra = User.objects.get(username="petra")
    assert (role_of(petra), petra.is_staff, petra.is_superuser) == ("operator", True, False)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.after["role"]) == ("person.add", "petra", "operator")
    assert password not in str(entry.after)
    client = signed_in("petra", password)
    assert "Choose a password of your own" in page_of(client, "/breakers/")
    assert "has yet to choose a password" in text_of(page_of(admin, PAGE))


def test_the_banner_can_be_put_off_and_goes_with_a_new_password(sign_in: SignIn) -> None:
    password = password_in(
        sign_in("admin").post(f"{PAGE}add/", given(name="petra", role="viewer")).content.decode()
    )
    client, new = signed_in("petra", password), "a rather different staple"

    later = client.post("/account/password/later/?next=/jobs/")

    assert later.headers["Location"] == "/jobs/"
    assert "Choose a password" not in page_of(client, "/jobs/")
    client = signed_in("petra", password)
    assert "Choose a password" in page_of(client, "/jobs/")
    client.post("/account/password/", {"old_password": password, "new_password1": new, "new_password2": new})
    assert "Choose a password" not in page_of(client, "/jobs/")
    assert "Choose a password" not in page_of(signed_in("petra", new), "/jobs/")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "OLGA", "role": "viewer"}, "There is somebody of this name"),
        ({"name": "a b", "role": "viewer"}, "Enter a valid username"),
        ({"name": "petra", "role": "king"}, "not one of the available choices"),
        ({"name": "petra", "role": "viewer", "reason": ""}, "Say why"),
    ],
)
def test_what_is_wrong_with_a_new_person_is_said(sign_in: SignIn, fields: dict[str, str], said: str) -> None:
    answer = sign_in("admin").post(f"{PAGE}add/", given(**fields))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert User.objects.count() == 3


def test_a_role_holds_from_the_next_request_on(sign_in: SignIn) -> None:
    admin, viktor = sign_in("admin"), Client()
    viktor.force_login(User.objects.get(username="viktor"))
    assert viktor.get("/breaker-settings/").status_code == 403

    assert admin.post(f"{PAGE}{id_of('viktor')}/role/", given(role="operator")).status_code == 302

    assert viktor.get("/breaker-settings/").status_code == 200
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.before["role"], entry.after["role"]) == ("person.role", "viewer", "operator")


def test_who_is_deactivated_is_out_at_once_and_can_be_let_in_again(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    olga = signed_in("olga", PASSWORD)
    assert olga.get("/").status_code == 200

    admin.post(f"{PAGE}{id_of('olga')}/deactivate/", given())

    assert olga.get("/").status_code == 302
    assert signed_in("olga", PASSWORD).get("/").status_code == 302
    admin.post(f"{PAGE}{id_of('olga')}/activate/", given())
    assert olga.get("/").status_code == 302
    assert signed_in("olga", PASSWORD).get("/").status_code == 200


def test_a_new_password_ends_the_old_one_and_its_sessions(sign_in: SignIn) -> None:
    admin, olga = sign_in("admin"), signed_in("olga", PASSWORD)

    page = admin.post(f"{PAGE}{id_of('olga')}/password/", given()).content.decode()

    assert olga.get("/").status_code == 302
    assert signed_in("olga", PASSWORD).get("/").status_code == 302
    assert signed_in("olga", password_in(page)).get("/").status_code == 200
    assert password_in(page) not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("act", ["deactivate", "role"])
def test_the_last_administrator_stays(sign_in: SignIn, act: str) -> None:
    admin = sign_in("admin")
    User.objects.create_superuser("gone", password=PASSWORD, is_active=False)

    answer = admin.post(f"{PAGE}{id_of('admin')}/{act}/", given(role="viewer"))

    assert answer.status_code == 422
    assert "make somebody else one first" in answer.content.decode()
    assert role_of(User.objects.get(username="admin")) == ADMINISTRATOR
    people.change_role(
        id_of("olga"), ADMINISTRATOR, By("admin", "two are better", datetime.now().astimezone())
    )
    assert admin.post(f"{PAGE}{id_of('admin')}/{act}/", given(role="viewer")).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_put_each_other_out_leave_one(sign_in: SignIn, now: datetime) -> None:
    sign_in("admin")
    people.change_role(id_of("olga"), ADMINISTRATOR, By("admin", "for a race", now))
    pairs, refused = [("admin", "olga"), ("olga", "admin")], []
    begin = threading.Barrier(2)

    def put_out(actor: str, other: str) -> None:
        pk = id_of(other)
        begin.wait(10)
        try:
            people.deactivate(pk, By(actor, "a race", now))
        except LastAdministrator:
            refused.append(other)
        finally:
            connection.close()

    threads = [threading.Thread(target=put_out, args=pair) for pair in pairs]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert len(refused) == 1
    assert administrators().filter(is_active=True).count() == 1


def test_a_lockout_is_seen_and_lifted(sign_in: SignIn) -> None:
    admin, door = sign_in("admin"), Client(REMOTE_ADDR="192.0.2.9")
    for _ in range(10):
        answer = door.post("/login/", {"username": "olga", "password": "wrong"})
    assert answer.status_code == 429
    assert "given 10 times" in text_of(answer.content.decode())
    assert "Wait for 15 minutes" in text_of(answer.content.decode())

    page = page_of(admin, PAGE)
    assert "192.0.2.9" in page
    (address,) = re.findall(r'"(/settings/lockouts/\d+/release/)"', page)
    form = given(reason="it was her, after the holidays")
    for _ in range(2):
        assert admin.post(address, form).status_code == 302

    assert door.post("/login/", {"username": "olga", "password": PASSWORD}).status_code == 302
    entry = AuditEntry.objects.get(action="lockout.release")
    assert (entry.subject, entry.before["address"]) == ("olga", "192.0.2.9")
    assert "Locked out" not in page_of(admin, PAGE)


def test_attempts_are_forgotten_once_they_count_no_more(db: Any, now: datetime) -> None:
    for guess in range(3):
        Client().post("/login/", {"username": f"guess-{guess}", "password": "wrong"})
    assert AccessAttempt.objects.count() == 3
    forget_old_attempts(now)
    assert AccessAttempt.objects.count() == 3
    forget_old_attempts(now + timedelta(minutes=16))
    assert not AccessAttempt.objects.exists()


def test_a_sign_in_leaves_a_session_and_no_other_trace(db: Any) -> None:
    everybody()
    assert Client().post("/login/", {"username": "olga", "password": PASSWORD}).status_code == 302
    assert SignInRecord.objects.count() == 1
    assert not AccessLog.objects.exists()


def test_a_lockout_ends_when_too_few_failures_are_left(db: Any, now: datetime) -> None:
    locked_out("olga", "192.0.2.1", now - timedelta(minutes=16))
    locked_out("viktor", "192.0.2.2", now - timedelta(minutes=14))

    (found,) = read_lockouts(now)

    assert (found.username, found.until) == ("viktor", now + timedelta(minutes=1))


def test_the_page_asks_few_queries_however_many_people(
    sign_in: SignIn, django_assert_max_num_queries: Any, now: datetime
) -> None:
    admin = sign_in("admin")
    for number in range(20):
        people.add_person(f"p{number}", "viewer", By("admin", "many", now))

    with django_assert_max_num_queries(15):
        page = page_of(admin, PAGE)

    assert page.count('id="person-') == 23
