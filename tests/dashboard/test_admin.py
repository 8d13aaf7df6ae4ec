"""The admin: records are read there, breakers acted upon, keys made and revoked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from featurememory import models
from featurememory.access import KEYS
from tests.browser.scenarios import KINDS

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
RECORDS = [
    "operation",
    "rollup",
    "series",
    "source",
    "breaker",
    "breakerevent",
    "healthsnapshot",
    "processrecord",
]
RECORDS += ["apikey", "auditentry", "componentstate", "healthtransition", "job", "jobrun"]
RECORDS += [
    "study",
    "arm",
    "optimization",
    "optimizationevent",
    "recommendation",
    "feedback",
    "learningsettings",
    "validationrecord",
    "validationtally",
]
RECORDS += ["resourcesettings", "resourcesample", "cleanuprun"]


def _address(model: str, page: str, *args: Any) -> str:
    return reverse(f"admin:featurememory_{model}_{page}", args=args)


@pytest.mark.parametrize("record", RECORDS)
def test_records_are_listed_and_shown_but_not_edited(situation: Build, sign_in: SignIn, record: str) -> None:
    situation("incident")
    models.ApiKey.drawn("a", ["read"], created_at="2026-11-23T00:00Z")[0].save()
    models.Feedback.objects.create(operation=uuid4(), score=0.5, actor="a", at="2026-11-23T00:00Z")
    models.LearningSettings.objects.create(values={"control": 0.2}, changed_at="2026-11-23T00:00Z")
    models.ResourceSettings.objects.create(changed_at="2026-11-23T00:00Z")
    client = sign_in("admin")
    row = getattr(models, {m.__name__.lower(): m.__name__ for m in _tables()}[record]).objects.first()

    listed = client.get(_address(record, "changelist"))
    shown = client.get(_address(record, "change", row.pk))
    changed = client.post(_address(record, "change", row.pk), {})
    deleted = client.post(_address(record, "delete", row.pk), {"post": "yes"})

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert 'name="_save"' not in shown.content.decode()


def _why(**given: Any) -> dict[str, Any]:
    return {"reason": "a new orchestrator", "request_id": str(uuid4())} | given


def _tables() -> list[Any]:
    return [getattr(models, name) for name in models.__all__]


def test_the_list_of_operations_counts_no_further_than_its_pages(
    situation: Build, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    situation("normal")
    client = sign_in("admin")

    with django_assert_max_num_queries(12) as asked:
        client.get(_address("operation", "changelist"))

    counts = [
        q["sql"]
        for q in asked.captured_queries
        if "COUNT" in q["sql"] and "featurememory_operation" in q["sql"]
    ]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


def test_operations_are_found_by_id_trace_and_breaker(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    client = sign_in("admin")
    kind = KINDS[4]
    guarded = models.Operation.objects.filter(operation_type=kind.operation_type, model=kind.model)
    first = guarded.first()
    assert first is not None
    models.Operation.objects.filter(pk=first.pk).update(trace_id="ab" * 16)

    def found(term: str) -> int:
        page = client.get(_address("operation", "changelist"), {"q": term}).content.decode()
        return page.count('class="field-started_at')

    assert found(str(first.id)) == found(first.id.hex) == found(f" {'ab' * 16} ") == 1
    assert found(kind.breaker) == guarded.count() > 1
    assert found("nobody") == 0


def test_an_operator_resets_a_breaker_in_the_admin_once(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    breaker = models.Breaker.objects.get(name=KINDS[0].breaker)
    client = sign_in("olga")
    User.objects.filter(username="olga").update(is_staff=True)
    address = _address("breaker", "reset", breaker.pk)
    audits = models.AuditEntry.objects.count()

    asked = client.get(address)
    given = {"reason": "the GPU is back", "request_id": str(uuid4())}
    answers = [client.post(address, given) for _ in range(2)]

    breaker.refresh_from_db()
    entry = models.AuditEntry.objects.first()
    assert entry is not None
    assert asked.status_code == 200
    assert [answer.status_code for answer in answers] == [302, 302]
    assert breaker.state == "closed"
    assert models.AuditEntry.objects.count() == audits + 1
    assert (entry.actor, entry.reason) == ("olga", "the GPU is back")


def test_the_admin_asks_for_a_reason_too(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    breaker = models.Breaker.objects.get(name=KINDS[0].breaker)

    response = sign_in("admin").post(_address("breaker", "reset", breaker.pk), {"request_id": str(uuid4())})

    assert response.status_code == 422
    assert "Say why" in response.content.decode()


def test_staff_that_may_only_look_is_refused(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    breaker = models.Breaker.objects.get(name=KINDS[0].breaker)
    client = sign_in("viktor")
    User.objects.filter(username="viktor").update(is_staff=True)

    page = client.get(_address("breaker", "change", breaker.pk)).content.decode()

    assert "Reset…" not in page
    assert client.get(_address("breaker", "reset", breaker.pk)).status_code == 403
    assert client.post(_address("breaker", "reset", breaker.pk), {"reason": "x"}).status_code == 403


def test_a_new_key_is_shown_once_and_works(db: Any, sign_in: SignIn) -> None:
    client = sign_in("admin")

    made = client.post(_address("apikey", "add"), _why(name="studio", scopes=["ingest", "read"]))

    key = re.search(r"fm_[\w-]+", made.content.decode())[0]  # type: ignore[index]
    row = models.ApiKey.objects.get(name="studio")
    caller = KEYS.caller(f"Bearer {key}")
    assert caller is not None
    assert caller.scopes == {"ingest", "read"}
    assert "no-store" in made.headers["Cache-Control"]
    for page in (_address("apikey", "changelist"), _address("apikey", "change", row.pk)):
        shown = client.get(page).content.decode()
        assert key not in shown
        assert row.digest not in shown
    assert models.AuditEntry.objects.get().action == "api_key.create"


def test_a_key_s_name_is_taken_once(db: Any, sign_in: SignIn) -> None:
    client = sign_in("admin")
    given = {"name": "studio", "scopes": ["read"]}

    client.post(_address("apikey", "add"), _why(**given))
    again = client.post(_address("apikey", "add"), _why(**given))

    assert "There is a key of this name" in again.content.decode()
    assert models.ApiKey.objects.count() == 1


def test_a_revoked_key_no_longer_works(db: Any, sign_in: SignIn) -> None:
    client = sign_in("admin")
    made = client.post(_address("apikey", "add"), _why(name="studio", scopes=["read"])).content.decode()
    key = re.search(r"fm_[\w-]+", made)[0]  # type: ignore[index]
    row = models.ApiKey.objects.get()

    given = {"reason": "it leaked", "request_id": str(uuid4())}
    for _ in range(2):
        assert client.post(_address("apikey", "revoke", row.pk), given).status_code == 302

    KEYS.forget()
    assert KEYS.caller(f"Bearer {key}") is None
    assert [entry.action for entry in models.AuditEntry.objects.all()] == ["api_key.revoke", "api_key.create"]


def test_only_who_may_makes_or_revokes_keys(db: Any, sign_in: SignIn, now: Any) -> None:
    row = models.ApiKey.drawn("a", ["read"], created_at=now)[0]
    row.save()
    client = sign_in("olga")
    User.objects.filter(username="olga").update(is_staff=True)

    assert client.get(_address("apikey", "add")).status_code == 403
    assert client.post(_address("apikey", "add"), {"name": "b", "scopes": ["read"]}).status_code == 403
    assert client.post(_address("apikey", "revoke", row.pk), {"reason": "x"}).status_code == 403


def test_admin_and_dashboard_link_each_other(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    breaker = models.Breaker.objects.get(name=KINDS[0].breaker)
    client = sign_in("admin")

    there = client.get(_address("breaker", "change", breaker.pk)).content.decode()
    back = client.get(reverse("breaker", args=[breaker.name])).content.decode()

    assert reverse("breaker", args=[breaker.name]) in there
    assert _address("breaker", "change", breaker.pk) in back


def test_the_admin_sends_to_the_one_page_to_sign_in(db: Any, client: Client) -> None:
    response = client.get("/admin/", follow=True)

    assert response.redirect_chain[-1][0] == "/login/?next=/admin/"
