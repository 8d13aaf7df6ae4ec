"""The pages of resources: use beside limits, cleanups, and changing how much may be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from featurememory.models import AuditEntry, CleanupRun, Operation, ResourceSample, ResourceSettings
from featurememory.resource_management.cleanup import enforce_constraints
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.monitor import take_sample
from tests.dashboard.test_optimizations import text_of

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
LIMITS = "/resources/limits/"


def page(client: Client, path: str = "/resources/?range=24h") -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return text_of(response.content.decode())


def test_without_anything_it_says_so(sign_in: SignIn) -> None:
    told = page(sign_in("viktor"))
    assert "Nobody has looked in this range: the job that samples resources did not run." in told
    assert "Nothing had to go yet" in told
    assert "No process has told of itself for half a minute." in told


def test_a_quiet_day_is_fine_throughout(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    told = page(sign_in("viktor"))
    assert "Memory of this installation max_memory_mb 148 MB of 1,024 MB" in told
    assert "Refuses" not in told
    assert re.search(r"48,211 operations, 240 health snapshots ?; the database is 60.MB smaller", told)
    assert "Clean up…" not in told


def test_memory_that_runs_out_is_named_with_what_it_means(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    told = page(sign_in("olga"))
    assert "1,011 MB of 1,024 MB" in told
    assert re.search(r"95.4 % of 95 % .*?Refuses beyond it new operations are refused", told)
    assert "Clean up… Change limits…" in told


def test_a_figure_is_drawn_with_its_limit_and_comes_as_csv(situation: Build, sign_in: SignIn) -> None:
    situation("incident")
    client = sign_in("viktor")
    drawn = client.get("/resources/?range=1h").content.decode()
    assert '"limit"' in drawn
    lines = client.get("/resources/chart.csv?signal=memory&range=1h").content.decode().splitlines()
    assert lines[0] == "from,used MB"
    assert len(lines) == 61
    told = [line.split(",")[1] for line in lines[1:]]
    assert float(next(filter(None, reversed(told)))) > 900  # the minute under way may have no sample yet
    assert client.get("/resources/chart.csv?signal=joy").status_code == 404


def test_what_was_just_sampled_is_drawn(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    ResourceSample.objects.all().delete()
    now = timezone.now()
    for seconds in (30, 15, 0):
        take_sample(now - timedelta(seconds=seconds))
    drawn = page(sign_in("viktor"), "/resources/?range=15m")
    assert re.search(r"Queues operations 240 messages \d+", drawn)


@pytest.mark.parametrize("situation_name", ["empty", "normal", "incident"])
def test_the_page_asks_a_bounded_number_of_questions(
    situation: Build, sign_in: SignIn, situation_name: str
) -> None:
    situation(situation_name)
    client = sign_in("olga")
    page(client)
    with CaptureQueriesContext(connection) as asked:
        page(client)
    assert len(asked) <= 36, [each["sql"][:90] for each in asked]


class TestCleaningUp:
    def test_what_would_go_is_said_first(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        ResourceSettings.objects.create(retention={"operations": {"days": 1}}, changed_at=timezone.now())
        Operation.objects.update(received_at=timezone.now() - timedelta(days=2))
        told = page(sign_in("olga"), "/resources/cleanup/")
        assert re.search(r"Operations \d+ [\d.]+ [kM]B older than 1 day", told), told

    def test_it_is_asked_for_once_and_done_by_the_job(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        client, id = sign_in("olga"), str(uuid4())
        answers = [
            client.post("/resources/cleanup/", {"reason": "room for the demo", "request_id": id}, follow=True)
            for _ in range(2)
        ]
        run = CleanupRun.objects.get(state="running")
        assert [answer.redirect_chain[-1][0] for answer in answers] == [f"/resources/cleanups/{run.pk}/"] * 2
        assert "waits for the next round of the job" in text_of(answers[0].content.decode())
        assert AuditEntry.objects.filter(action="cleanup.run", actor="olga").count() == 1

    def test_a_reason_is_needed(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        answer = sign_in("olga").post("/resources/cleanup/", {"request_id": str(uuid4())})
        assert answer.status_code == 422
        assert "Say why" in answer.content.decode()

    def test_a_viewer_may_not(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        client = sign_in("viktor")
        for path in ("/resources/cleanup/", LIMITS):
            assert client.get(path).status_code == 403
            assert client.post(path, {"reason": "me", "request_id": str(uuid4())}).status_code == 403

    def test_each_run_tells_what_it_did(self, situation: Build, sign_in: SignIn) -> None:
        situation("incident")
        client = sign_in("viktor")
        done, failed, running = CleanupRun.objects.order_by("pk")
        assert "Operations 48,211" in page(client, f"/resources/cleanups/{done.pk}/")
        assert "OperationalError: database is locked" in page(client, f"/resources/cleanups/{failed.pk}/")
        told = page(client, f"/resources/cleanups/{running.pk}/")
        assert "went on 1 time after its process had gone" in told
        assert "12 pinned patterns" in told


class TestChangingLimits:
    def change(self, client: Client, reason: str = "the disk is small", **typed: str) -> Any:
        shown = client.get(LIMITS, {"preview": "yes"} | typed).content.decode()
        hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', shown))
        hidden.pop("csrfmiddlewaretoken", None)
        return client.post(LIMITS, hidden | {"reason": reason}, follow=True)

    def test_what_changes_and_what_would_go_is_shown_before(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        Operation.objects.update(received_at=timezone.now() - timedelta(days=3))
        told = page(sign_in("olga"), f"{LIMITS}?preview=yes&max_database_mb=64&operations-days=2")
        assert "Database max_database_mb 4,096 MB 64 MB" in told
        assert "Keep operations operations.days 30 days 2 days" in told
        assert re.search(r"About \d+ rows would go with the next cleanup", told)
        assert not ResourceSettings.objects.exists()

    def test_it_holds_once_it_is_applied(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        client = sign_in("olga")
        answer = self.change(client, max_operations="2000", **{"operations-megabytes": "300"})
        assert "The limits were changed" in text_of(answer.content.decode())
        assert limits().constraints.max_operations == 2_000
        assert limits().retention["operations"] == (30, 300)
        entry = AuditEntry.objects.get(action="resources.configure")
        assert (entry.actor, entry.reason) == ("olga", "the disk is small")

    def test_each_fault_is_said_at_its_field(self, situation: Build, sign_in: SignIn) -> None:
        situation("normal")
        client = sign_in("olga")
        told = page(client, f"{LIMITS}?preview=yes&audit-days=3")
        assert "audit.days = 3 is not a number from 90 to 36,500." in told
        told = page(client, f"{LIMITS}?preview=yes&max_memory_mb=much")
        assert "Enter a number." in told
        told = page(client, f"{LIMITS}?preview=yes&cleanup_low=0.9")
        assert "cleanup would never end" in told

    def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
        self, situation: Build, sign_in: SignIn
    ) -> None:
        situation("normal")
        client = sign_in("olga")
        before = client.get(f"{LIMITS}?preview=yes&max_operations=2000").content.decode()
        hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', before))
        self.change(sign_in("admin"), max_operations="3000")
        answer = client.post(LIMITS, hidden | {"reason": "late"})
        assert answer.status_code == 422
        assert "Somebody changed these settings meanwhile" in answer.content.decode()
        assert limits().constraints.max_operations == 3_000


@pytest.mark.django_db(transaction=True)
def test_a_run_that_the_job_has_done_is_shown_as_done(situation: Build, sign_in: SignIn) -> None:
    situation("normal")
    client = sign_in("olga")
    answer = client.post("/resources/cleanup/", {"reason": "tidy", "request_id": str(uuid4())}, follow=True)
    run = CleanupRun.objects.get(state="running")
    enforce_constraints(timezone.now())
    assert answer.status_code == 200
    told = page(client, f"/resources/cleanups/{run.pk}/")
    assert "State Done" in told
    assert "Asked for by olga: “tidy”" in told
