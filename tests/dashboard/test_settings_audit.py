"""The audit: found by who, what, to what, when and why, however many entries there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dashboard.audit_rows import AuditFilter, list_entries
from dashboard.audit_words import ACTIONS, differences
from featurememory.models import AuditEntry
from tests.browser.scenarios import KINDS
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
Build = Callable[[str], None]
PAGE = "/settings/audit/"


def entry(at: datetime, **fields: Any) -> AuditEntry:
    given = {"actor": "olga", "action": "breaker.reset", "subject": "a:b", "reason": "it works again"}
    return AuditEntry.objects.create(at=at, **given | fields)


def test_who_reset_a_breaker_last_night_takes_three_clicks(
    sign_in: SignIn, situation: Build, now: datetime
) -> None:
    situation("incident")
    name = KINDS[0].breaker
    entry(now - timedelta(hours=9), subject=name, reason="the GPU is back")
    entry(now - timedelta(days=3), subject=name, reason="long ago")
    client = sign_in("viktor")

    assert '<a href="/settings/"' in page_of(client, "/")
    assert '<a class="over" href="/settings/audit/">' in page_of(client, "/settings/")
    assert 'href="?action=breaker.reset&amp;range=24h">Breaker resets, last 24 h' in page_of(client, PAGE)
    found = page_of(client, f"{PAGE}?action=breaker.reset&range=24h")

    assert f"olga reset a breaker : {name}" in text_of(found)
    assert "the GPU is back" in found
    assert f'href="/breakers/{name}/"' in found
    assert "long ago" not in found


def test_a_change_is_shown_by_names_and_values(sign_in: SignIn, db: Any, now: datetime) -> None:
    before = {"constraints": {"max_patterns": 100}, "pinned": False}
    after = {"constraints": {"max_patterns": 200}, "pinned": True}
    entry(now, action="resources.configure", subject="limits", before=before, after=after)

    page = text_of(page_of(sign_in("viktor"), PAGE))

    assert "constraints: max patterns 100 200" in page
    assert "pinned no yes" in page
    assert "{" not in page


def test_differences_leave_out_what_stayed() -> None:
    found = differences({"a": 1, "b": [1, 2], "c": None}, {"a": 1, "b": [1], "d": 0.5})

    assert [(each.name, each.before, each.after) for each in found] == [("b", "1, 2", "1"), ("d", "–", "0.5")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("actor=olga", {1, 3}),
        ("action=breaker.disable", {2}),
        ("subject=a:b", {1}),
        ("text=GPU", {3}),
        ("text=X:Y", {2}),
        ("range=24h", {1, 2}),
        ("from=2026-01-01T00:00&to=2026-01-03T00:00", {3}),
        ("actor=olga&range=24h", {1}),
        ("actor=nobody", set()),
    ],
)
def test_entries_are_chosen(db: Any, query: str, expected: set[int]) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    ids = {
        entry(now - timedelta(hours=1)).pk: 1,
        entry(now - timedelta(hours=2), actor="key ci", action="breaker.disable", subject="x:y").pk: 2,
        entry(datetime(2026, 1, 2, tzinfo=UTC), action="job.run", subject="merge", reason="the GPU").pk: 3,
    }
    chosen = AuditFilter.read(dict(each.split("=") for each in query.split("&")))

    found = list_entries(chosen, now, lambda _: True)

    assert {ids[row.entry.pk] for row in found.rows} == expected


def test_pages_follow_each_other_without_gap_or_repetition(db: Any, now: datetime) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now - timedelta(seconds=number // 3), actor="olga", action="job.run", subject=str(number)
        )
        for number in range(130)
    )
    seen: list[str] = []
    chosen = AuditFilter()
    while True:
        found = list_entries(chosen, now, lambda _: True)
        seen += [row.entry.subject for row in found.rows]
        if not found.older:
            break
        chosen = AuditFilter.read({"before": found.older.removeprefix("before=")})

    assert len(seen) == len(set(seen)) == 130


def test_a_text_is_looked_for_among_so_many_and_then_further_back(
    db: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.audit_rows.LOOKED_THROUGH", 20)
    entry(now - timedelta(hours=1), subject="needle")
    AuditEntry.objects.bulk_create(
        AuditEntry(at=now - timedelta(seconds=number), actor="olga", action="job.run", subject="hay")
        for number in range(50)
    )

    chosen, steps = AuditFilter(text="needle"), 0
    while not (found := list_entries(chosen, now, lambda _: True)).rows:
        assert found.looked_back_to is not None
        chosen, steps = (
            AuditFilter.read({"text": "needle", "before": found.older.split("before=")[1]}),
            steps + 1,
        )

    assert steps == 2
    assert found.rows[0].entry.subject == "needle"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "audit_at"),
        ({"action": "breaker.reset", "range": "24h"}, "audit_action_at"),
        ({"actor": "olga"}, "audit_actor_at"),
        ({"subject": "a:b"}, "audit_subject_at"),
    ],
)
def test_no_list_reads_the_whole_table(db: Any, now: datetime, query: dict[str, str], index: str) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now - timedelta(minutes=number),
            actor=f"actor {number % 70}",
            action=f"action {number % 90}",
            subject=f"subject {number % 110}",
        )
        for number in range(3_000)
    )
    if connection.vendor == "postgresql":  # which plans by what it knows of the table
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE featurememory_auditentry")
    rows = AuditFilter.read(query).choose(now)[:51]

    plan = rows.explain()

    assert index in plan
    assert "SCAN featurememory_auditentry\n" not in plan + "\n"
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan.replace("LAST TERM OF ORDER BY", "")


def test_a_page_of_the_audit_asks_few_queries(
    sign_in: SignIn, situation: Build, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("olga")

    with django_assert_max_num_queries(14):
        client.get(f"{PAGE}?action=breaker.reset&range=24h&text=a")


def test_what_is_chosen_can_be_kept_as_a_file(sign_in: SignIn, db: Any, now: datetime) -> None:
    entry(now, after={"state": "closed"}, before={"state": "open"}, reason="=1+1")
    entry(now, actor="admin")
    client = sign_in("viktor")

    answer = client.get("/settings/audit/export/?actor=olga")
    lines = list(csv.reader(io.StringIO(answer.getvalue().decode())))
    items = json.loads(client.get("/settings/audit/export/?actor=olga&format=json").getvalue())

    assert len(lines) == 2
    assert lines[1][2:6] == ["olga", "breaker.reset", "a:b", "'=1+1"]
    assert json.loads(lines[1][7]) == {"state": "closed"}
    assert [(each["before"], each["reason"]) for each in items] == [({"state": "open"}, "=1+1")]


def test_nothing_yet_and_nothing_of_that_kind_are_two_sentences(
    sign_in: SignIn, db: Any, now: datetime
) -> None:
    client = sign_in("viktor")
    assert "Nobody has done anything yet" in page_of(client, PAGE)

    entry(now)

    assert "Nothing of that kind was done in this time" in page_of(client, f"{PAGE}?actor=nobody&range=7d")
    assert "“from” cannot be read" in page_of(client, f"{PAGE}?from=yesterday")


def test_every_act_has_words(sign_in: SignIn, situation: Build) -> None:
    situation("incident")

    assert set(AuditEntry.objects.values_list("action", flat=True)) <= set(ACTIONS)
