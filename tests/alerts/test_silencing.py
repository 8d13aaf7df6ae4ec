"""Silences laid over alerts: at once, in their windows, until their end, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from featurememory.alerts.errors import UnknownSilence
from featurememory.alerts.labels import Matchers, matchers_in
from featurememory.alerts.silence_actions import change_silence, create_silence, end_silence
from featurememory.alerts.silences import Recurrence
from featurememory.alerts.silencing import apply_silences, covered_now
from featurememory.errors import ConfigurationError, ValidationError
from featurememory.models import Alert, AlertEvent, AlertSilence, AuditEntry
from tests.alerts.alerts import stored_alert

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def fitting(text: str) -> Matchers:
    return matchers_in(text, least=1)


def silence(now: datetime, text: str = "model=whisper", **more: Any) -> AlertSilence:
    given = {"starts_at": now, "ends_at": now + HOUR, "comment": "maintenance", "actor": "olga", "now": now}
    return create_silence(fitting(text), **given | more)


def is_silenced(alert: Alert) -> bool:
    alert.refresh_from_db()
    return alert.is_silenced


def test_what_it_covers_is_quiet_at_once_and_says_by_whom_and_why(now: datetime) -> None:
    covered, other = stored_alert(now), stored_alert(now, "bark")

    silence(now)

    assert (is_silenced(covered), is_silenced(other)) == (True, False)
    event = AlertEvent.objects.get()
    assert (event.alert, event.kind, event.actor, event.note) == (covered, "silenced", "olga", "maintenance")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.reason) == ("silence.create", 'model="whisper"', "maintenance")


@pytest.mark.parametrize("text", ["alertname=Calls are slow", "severity=~warning|critical", "instance!=x"])
def test_name_and_severity_are_labels_too_and_a_missing_one_is_empty(now: datetime, text: str) -> None:
    alert = stored_alert(now)
    silence(now, text)
    assert is_silenced(alert)


def test_one_that_is_to_come_begins_and_ends_with_its_time(now: datetime) -> None:
    alert = stored_alert(now)
    silence(now, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    assert not is_silenced(alert)

    assert apply_silences(now + HOUR) == 1
    assert is_silenced(alert)
    assert apply_silences(now + HOUR) == 0
    assert apply_silences(now + 2 * HOUR) == 1
    assert not is_silenced(alert)
    assert list(AlertEvent.objects.values_list("kind", flat=True)) == ["unsilenced", "silenced"]


def test_a_window_that_comes_again_is_quiet_only_within_it() -> None:
    monday = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    alert = stored_alert(monday)
    window = Recurrence.of({"weekdays": [0, 1], "start": "22:30", "minutes": 60, "timezone": "Europe/Berlin"})
    silence(monday, ends_at=monday + timedelta(days=14), recurrence=window)

    quiet = []
    for hours in (0, 1.5, 2.5, 25.5, 49.5, 169.5):
        apply_silences(monday + timedelta(hours=hours))
        quiet.append(is_silenced(alert))
    assert quiet == [False, True, False, True, False, True]


def test_what_is_pending_is_quiet_before_it_fires_and_what_ended_is_let_go_with_its_silence(
    now: datetime,
) -> None:
    pending = stored_alert(now, state="pending", fired_at=None)
    over = stored_alert(now, "bark", state="resolved", resolved_at=now, is_silenced=True)
    silence(now)
    assert is_silenced(pending)
    assert not is_silenced(over)


def test_ending_it_early_lets_them_be_heard_again(now: datetime) -> None:
    alert = stored_alert(now)
    row = silence(now)

    ended = end_silence(row.pk, actor="admin", reason="done already", now=now + HOUR / 2)

    assert not is_silenced(alert)
    assert (ended.ends_at, ended.ended_by) == (now + HOUR / 2, "admin")
    again = end_silence(row.pk, actor="olga", reason="me too", now=now + HOUR)
    assert (again.ends_at, again.ended_by) == (now + HOUR / 2, "admin")


def test_one_that_has_not_begun_can_be_ended_too(now: datetime) -> None:
    row = silence(now, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    ended = end_silence(row.pk, actor="olga", reason="called off", now=now)
    assert (ended.starts_at, ended.ends_at) == (now, now)
    assert apply_silences(now + 1.5 * HOUR) == 0


def test_changing_it_covers_others_at_once(now: datetime) -> None:
    first, second = stored_alert(now), stored_alert(now, "bark")
    row = silence(now)

    change_silence(
        row.pk, fitting("model=bark"), now, now + 2 * HOUR, actor="olga", reason="the wrong one", now=now
    )

    assert (is_silenced(first), is_silenced(second)) == (False, True)


def test_the_same_submit_makes_one_silence(now: datetime) -> None:
    request_id = uuid4()
    assert silence(now, request_id=request_id) == silence(now, request_id=request_id)
    assert AlertSilence.objects.count() == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"ends_at": timedelta()}, "ends_at"),
        ({"ends_at": timedelta(days=400)}, "ends_at"),
        ({"starts_at": -2 * HOUR, "ends_at": -HOUR}, "ends_at"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(now: datetime, more: dict[str, timedelta], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        silence(now, **{name: now + each for name, each in more.items()})
    assert refused.value.data["field"] == field


def test_a_comment_is_needed_and_one_matcher_at_least(now: datetime) -> None:
    with pytest.raises(ValidationError):
        silence(now, comment=" ")
    with pytest.raises(ConfigurationError):
        create_silence((), now, now + HOUR, comment="all", actor="olga", now=now)
    with pytest.raises(UnknownSilence):
        end_silence(99, actor="olga", reason="x", now=now)


def test_a_preview_says_what_would_be_covered_and_changes_nothing(now: datetime) -> None:
    alert = stored_alert(now)
    stored_alert(now, "bark", state="resolved", resolved_at=now)
    assert covered_now(fitting("model=~.*")) == [alert]
    assert not is_silenced(alert)


def test_while_nothing_changes_it_costs_next_to_nothing(
    now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        stored_alert(now, f"model-{number}")
    with django_assert_max_num_queries(5):  # with the savepoint's two, and the lock
        apply_silences(now)
    silence(now, "model=~.*")
    with django_assert_max_num_queries(5):
        assert apply_silences(now) == 0
