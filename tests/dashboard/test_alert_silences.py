"""Silences on pages: in force, coming, over; laid with a look at what they cover, and ended early."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from featurememory.alerts.silences import Recurrence
from featurememory.models import AlertSilence, AuditEntry
from tests.alerts.alerts import stored_alert
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
LIST, NEW = "/alerts/silences/", "/alerts/silences/new/"


def stored(now: datetime, model: str = "whisper", **more: Any) -> AlertSilence:
    given = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=1)}
    return AlertSilence.objects.create(
        matchers=[{"name": "model", "operator": "=", "value": model}],
        comment=f"{model} is worked on",
        created_by="olga",
        created_at=now,
        **given | more,
    )


def test_each_says_who_and_why_and_what_it_keeps_quiet(sign_in: SignIn, now: datetime) -> None:
    stored_alert(now)
    stored(now)
    stored(now, "bark")
    stored(now, "clap", starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=2))
    stored(now, "mert", ends_at=now - timedelta(minutes=1), ended_by="admin")

    told = text_of(page_of(sign_in("viktor"), LIST))

    assert "“whisper is worked on” olga" in told
    assert "Keeps quiet: Calls are slow" in told
    assert "Fits no open alert: it may be too narrow" in told
    assert told.index("In force") < told.index("Coming") < told.index("Over 1")
    assert "ended early by admin" in told


def test_nothing_laid_yet_and_nothing_in_force_are_two_sentences(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("viktor")
    assert "No silence yet." in text_of(page_of(client, LIST))
    stored(now, ends_at=now - timedelta(minutes=1))
    assert "No silence is in force or coming" in text_of(page_of(client, LIST))


def test_a_preview_shows_what_is_covered_and_a_submit_lays_it_once(sign_in: SignIn, now: datetime) -> None:
    alert, client = stored_alert(now), sign_in("olga")
    stored_alert(now, "bark")
    assert "model=&quot;whisper&quot;" in page_of(client, f"{NEW}?alert={alert.pk}")

    previewed = text_of(page_of(client, f"{NEW}?preview=yes&matchers=model%3Dwhisper&minutes=60"))
    assert "It covers 1 of 2 open alerts" in previewed
    assert not AlertSilence.objects.exists()

    sent = {"matchers": "model=whisper", "minutes": "60", "request_id": str(uuid4())}
    assert client.post(NEW, sent).status_code == 422
    for _ in range(2):
        done = client.post(NEW, sent | {"comment": "maintenance"}, follow=True)

    assert done.redirect_chain == [(LIST, 302)]
    silence = AlertSilence.objects.get()
    assert (silence.created_by, silence.ends_at - silence.starts_at) == ("olga", timedelta(hours=1))
    alert.refresh_from_db()
    assert alert.is_silenced
    assert AuditEntry.objects.count() == 1


def test_a_window_that_comes_again_is_laid_and_said_in_words(sign_in: SignIn) -> None:
    client = sign_in("olga")
    sent = {
        "matchers": "model=~.*", "minutes": "10080", "weekdays": ["0", "4"], "begin": "22:30", "lasts": "90",
        "timezone": "Europe/Berlin", "comment": "nightly backup", "request_id": str(uuid4()),
    }  # fmt: skip
    client.post(NEW, sent)
    silence = AlertSilence.objects.get()
    assert Recurrence.of(silence.recurrence).lasts == timedelta(minutes=90)
    assert "Monday and Friday from 22:30 for 90 min (Europe/Berlin)" in text_of(page_of(client, LIST))
    changed = page_of(client, reverse("alert-silence", args=[silence.pk]))
    assert 'value="22:30"' in changed
    assert 'value="4" id="id_weekdays_4" checked' in changed


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("matchers=", "Say which"),
        ("matchers=nonsense", "must read like"),
        ("matchers=a%3Db&starts=soon&minutes=60", "starts_at must be a moment"),
        ("matchers=a%3Db&ends=2000-01-01", "ends_at must lie behind"),
        ("matchers=a%3Db&minutes=", "ends_at must be a moment"),
        ("matchers=a%3Db&minutes=60&begin=25:00&weekdays=1&lasts=5", "time of day"),
        ("matchers=a%3Db&minutes=60&begin=22:00&lasts=5", "days of the week"),
        ("matchers=a%3Db&minutes=60&starts=9999-12-31", "366"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(sign_in: SignIn, query: str, said: str) -> None:
    page = sign_in("olga").get(f"{NEW}?preview=yes&{query}")
    assert page.status_code == 200
    assert said in text_of(page.content.decode()) or said == "366"


def test_one_is_changed_and_ended_with_a_reason(sign_in: SignIn, now: datetime) -> None:
    silence, client = stored(now), sign_in("olga")
    path = reverse("alert-silence", args=[silence.pk])
    sent = {"matchers": "model=bark", "minutes": "240", "comment": "the other", "request_id": str(uuid4())}
    client.post(path, sent)
    silence.refresh_from_db()
    assert silence.matchers[0]["value"] == "bark"

    end = reverse("alert-silence-end", args=[silence.pk])
    assert "It is over at once" in text_of(page_of(client, end))
    assert client.post(end, {"reason": "", "request_id": str(uuid4())}).status_code == 422
    client.post(end, {"reason": "done", "request_id": str(uuid4())})
    silence.refresh_from_db()
    assert silence.ended_by == "olga"
    assert [each.action for each in AuditEntry.objects.all()] == ["silence.end", "silence.change"]
