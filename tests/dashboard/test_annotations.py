"""Annotations, as the pages write, list and remove them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.models import Annotation, AuditEntry
from featurememory.observability.annotations import write_annotation

SignIn = Callable[[str], Client]


def given(**fields: str) -> dict[str, str]:
    return {"kind": "note", "text": "GPU 3 is back", "request_id": str(uuid4())} | fields


def test_an_operator_writes_one_and_a_double_submit_makes_no_second(sign_in: SignIn) -> None:
    client, values = sign_in("olga"), given(kind="deploy", model="bark")

    answers = [client.post("/annotations/new/", values) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    row = Annotation.objects.get()
    assert (row.kind, row.text, row.model, row.actor) == ("deploy", "GPU 3 is back", "bark", "olga")
    assert AuditEntry.objects.filter(action="annotation.write", actor="olga").count() == 1
    assert "GPU 3 is back" in client.get("/annotations/").content.decode()


def test_moments_are_taken_as_utc_wherever_the_server_lives(sign_in: SignIn, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"

    sign_in("olga").post("/annotations/new/", given(at="2026-11-27T10:00", until="2026-11-27T11:30"))

    row = Annotation.objects.get()
    assert row.at == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert row.until == datetime(2026, 11, 27, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": " "}, "Say what happened"),
        ({"at": "2026-11-27T10:00", "until": "2026-11-27T09:00"}, "until must be later than at"),
        ({"at": "yesterday"}, "valid date"),
        ({"at": "2099-01-01T00:00"}, "days ahead"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(sign_in: SignIn, fields: dict[str, str], said: str) -> None:
    answer = sign_in("olga").post("/annotations/new/", given(**fields))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Annotation.objects.exists()


def test_one_is_removed_with_a_reason_and_once(sign_in: SignIn, now: datetime) -> None:
    row = write_annotation("wrong day", actor="olga", now=now)
    client, path = sign_in("olga"), f"/annotations/{row.pk}/remove/"
    values = {"reason": "it was Tuesday", "request_id": str(uuid4())}

    without = client.post(path, {"reason": "", "request_id": str(uuid4())})
    answers = [client.post(path, values) for _ in range(2)]

    assert without.status_code == 422
    assert [answer.status_code for answer in answers] == [302, 302]
    assert not Annotation.objects.exists()
    assert AuditEntry.objects.get(action="annotation.remove").reason == "it was Tuesday"


def test_a_viewer_reads_and_writes_nothing(sign_in: SignIn, now: datetime) -> None:
    row = write_annotation("<b>bold</b>", actor="olga", now=now)
    client = sign_in("viktor")

    page = client.get("/annotations/").content.decode()

    assert "&lt;b&gt;bold" in page
    assert "/remove/" not in page
    assert client.get("/annotations/new/").status_code == 403
    assert client.post(f"/annotations/{row.pk}/remove/", {"reason": "x"}).status_code == 403


def test_pages_neither_skip_nor_repeat_what_was_written_at_one_moment(
    sign_in: SignIn, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(130):
        write_annotation(f"note {number:03}.", actor="ci", now=now, at=now - timedelta(seconds=number // 60))
    client, path, seen = sign_in("viktor"), "/annotations/", list[str]()
    while path:
        with django_assert_max_num_queries(9):
            page = client.get(path).content.decode()
        seen += re.findall(r"note \d{3}\.", page)
        older = re.search(r'href="(\?[^"]*)">Older', page)
        path = f"/annotations/{older[1]}" if older else ""

    assert sorted(set(seen)) == sorted(seen)
    assert len(seen) == 130


def test_without_any_the_page_says_so(sign_in: SignIn) -> None:
    client = sign_in("viktor")

    assert "Nobody has written an annotation yet" in client.get("/annotations/").content.decode()
    assert (
        "Nothing older" in client.get("/annotations/?before=2020-01-01T00:00:00%2B00:00~1").content.decode()
    )
    assert client.get("/annotations/?before=nonsense").status_code == 200
