"""Keys: made and revoked by administrators, shown once, in the dashboard and in the admin by the same services."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from featurememory.access import KEYS
from featurememory.models import ApiKey, AuditEntry
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
PAGES = ("/settings/keys/new/", "/admin/featurememory/apikey/add/")


def given(**fields: Any) -> dict[str, Any]:
    return {"reason": "a new orchestrator", "request_id": str(uuid4())} | fields


@pytest.mark.parametrize("page", PAGES)
def test_a_key_is_made_once_and_shown_once(sign_in: SignIn, page: str) -> None:
    admin, form = sign_in("admin"), given(name="studio", scopes=["read", "ingest"])

    made, again = admin.post(page, form), admin.post(page, form)

    (key,) = set(re.findall(r"fm_[\w-]{43}", made.content.decode()))
    assert "no-store" in made.headers["Cache-Control"]
    assert not re.search(r"fm_[\w-]{43}", again.content.decode())
    assert "by your first submit" in again.content.decode()
    row = ApiKey.objects.get()
    assert (row.name, row.scopes) == ("studio", ["ingest", "read"])
    found = AuditEntry.objects.get()
    assert (found.action, found.subject, found.reason) == ("api_key.create", "studio", "a new orchestrator")
    assert key not in str(list(AuditEntry.objects.values()))
    assert key not in str(dict(admin.session))
    assert Client().get("/api/v1/breakers", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_the_page_of_a_new_key_has_a_line_to_paste(sign_in: SignIn) -> None:
    page = sign_in("admin").post(PAGES[0], given(name="studio", scopes=["ingest"])).content.decode()

    (key,) = set(re.findall(r"fm_[\w-]{43}", page))
    assert f"export FEATUREMEMORY_API_KEY={key}" in page
    assert "curl -sS http://testserver/api/v1/operations" in page
    assert 'data-copy="snippet-key"' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "taken", "scopes": ["read"]}, "There is a key of this name"),
        ({"name": "studio"}, "Choose what the key may do"),
        ({"name": "studio", "scopes": ["all"]}, "not one of the available choices"),
        ({"name": "", "scopes": ["read"]}, "This field is required"),
        ({"name": "studio", "scopes": ["read"], "reason": " "}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_beside_it(sign_in: SignIn, fields: dict[str, Any], said: str) -> None:
    admin = sign_in("admin")
    admin.post(PAGES[0], given(name="taken", scopes=["read"]))

    answer = admin.post(PAGES[0], given(**fields))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    page = admin.post(PAGES[0], given(name="studio", scopes=["read"])).content.decode()
    (key,) = set(re.findall(r"fm_[\w-]{43}", page))
    row = ApiKey.objects.get()
    asked = page_of(admin, f"/settings/keys/{row.pk}/revoke/")
    assert "It works on for 2 s at most" in asked
    form = given(reason="it leaked")

    for _ in range(2):
        assert admin.post(f"/settings/keys/{row.pk}/revoke/", form).status_code == 302
    KEYS.forget()

    assert Client().get("/api/v1/breakers", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert [each.action for each in AuditEntry.objects.order_by("pk")] == ["api_key.create", "api_key.revoke"]
    assert "all were revoked" in text_of(page_of(admin, "/settings/keys/"))
    assert admin.post(reverse("admin:featurememory_apikey_revoke", args=[row.pk]), given()).status_code == 302
    assert AuditEntry.objects.count() == 2


def test_without_a_key_it_says_what_one_is_for(sign_in: SignIn, django_assert_max_num_queries: Any) -> None:
    admin = sign_in("admin")
    with django_assert_max_num_queries(13):
        assert "No key was made yet" in page_of(admin, "/settings/keys/")


def test_the_first_steps_lead_there(sign_in: SignIn) -> None:
    assert 'href="/settings/keys/new/"' in page_of(sign_in("admin"), "/")
    assert 'href="/settings/keys/new/"' not in page_of(sign_in("olga"), "/")
