"""Alert rules on pages: how they stand; tried on history before they are trusted; switched, deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from dashboard.alert_chart import trial_chart
from dashboard.alert_words import RULE_KINDS
from featurememory.alerts.backtest import backtest
from featurememory.alerts.rules import Rule, Threshold
from featurememory.models import AlertRule, AuditEntry, Series
from featurememory.models.rollup import OTHER
from featurememory.observability.rollups import add_to_rollups, tally
from tests.alerts.alerts import stored_alert, stored_rule
from tests.browser.scenarios import Call
from tests.dashboard.test_optimizations import page_of, text_of

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
LIST, NEW = "/alerts/rules/", "/alerts/rules/new/"
SLOW = {
    "kind": "threshold", "name": "Very slow", "signal": "latency_p95", "severity": "warning", "operator": "above",
    "threshold": "9000", "no_data": "keep",
}  # fmt: skip


def test_each_says_how_it_stands(sign_in: SignIn, now: datetime) -> None:
    rule = stored_rule(now, changed_by="olga")
    stored_alert(now, rule=rule)
    stored_rule(now, "Fails", error="OperationalError: it broke")
    stored_rule(now, "Sleeps", is_enabled=False)

    told = text_of(page_of(sign_in("viktor"), LIST))

    assert "On Calls are slow" in told
    assert "1 open alert" in told
    assert "changed by olga" in told
    assert "OperationalError: it broke" in told
    assert "Off Sleeps" in told
    assert "not evaluated" in told


@pytest.mark.parametrize("kind", list(RULE_KINDS))
def test_each_kind_has_a_form(sign_in: SignIn, kind: str) -> None:
    page = page_of(sign_in("olga"), f"{NEW}?kind={kind}")
    assert "Test on history" in page
    assert ("threshold" in RULE_KINDS[kind].lower()) == ('name="threshold"' in page)


def test_a_rule_is_tried_on_history_and_then_created_once(sign_in: SignIn, situation: Build) -> None:
    situation("incident")
    client = sign_in("olga")

    page = page_of(client, f"{NEW}?{urlencode(SLOW | {'preview': 'yes'})}")

    assert "It would have fired" in text_of(page)
    assert 'id="chart-signal"' in page
    assert not AlertRule.objects.filter(name="Very slow").exists()

    sent = SLOW | {"request_id": str(uuid4())}
    assert client.post(NEW, sent).status_code == 422
    for _ in range(2):
        client.post(NEW, sent | {"reason": "callers complain"})
    rule = AlertRule.objects.get(name="Very slow")
    assert (rule.condition["threshold"], rule.changed_by) == (9_000, "olga")
    assert AuditEntry.objects.filter(action="rule.create").count() == 1


def test_a_change_shows_before_and_after_and_minds_what_others_did(sign_in: SignIn, now: datetime) -> None:
    rule, client = stored_rule(now), sign_in("olga")
    path = reverse("alert-rule", args=[rule.pk])
    assert 'value="5000.0"' in page_of(client, path)
    same = {**SLOW, "name": rule.name, "threshold": "5000", "window_s": "300", "summary": rule.summary}
    wanted = same | {"threshold": "7000"}

    assert "set so already" in text_of(page_of(client, f"{path}?{urlencode(same | {'preview': 'yes'})}"))
    told = text_of(page_of(client, f"{path}?{urlencode(wanted | {'preview': 'yes'})}"))
    assert "7000" in told

    sent = wanted | {"reason": "less noise", "request_id": str(uuid4())}
    AlertRule.objects.update(version=4)
    assert client.post(path, sent | {"version": "1"}).status_code == 422
    assert client.post(path, sent | {"version": "4"}).status_code == 302
    rule.refresh_from_db()
    assert (rule.condition["threshold"], rule.version) == (7_000, 5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": "much"}, "Enter a number"),
        ({"threshold": ""}, "required"),
        ({"resolve_threshold": "9999"}, "must not lie above"),
        ({"window_s": "1"}, "must be a number from 60"),
        ({"matchers": "nonsense"}, "must read like"),
        ({"runbook_url": "javascript:x"}, "must begin with"),
        ({"signal": "moon_phase"}, "Select a valid choice"),
        ({"for_s": "1e9"}, "must be a number from 0"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(sign_in: SignIn, changes: dict[str, str], said: str) -> None:
    page = page_of(sign_in("olga"), f"{NEW}?{urlencode(SLOW | changes | {'preview': 'yes'})}")
    assert said in text_of(page)
    assert "problems" in page


def test_one_is_switched_off_and_its_alerts_are_over(sign_in: SignIn, now: datetime) -> None:
    rule, client = stored_rule(now), sign_in("olga")
    alert = stored_alert(now, rule=rule)
    path, sent = reverse("alert-rule-switch", args=[rule.pk]), {"reason": "loud", "request_id": str(uuid4())}
    assert "its open alerts are over" in text_of(page_of(client, path))
    for _ in range(2):
        client.post(path, sent | {"version": "1"})
    rule.refresh_from_db()
    alert.refresh_from_db()
    assert (rule.is_enabled, alert.state) == (False, "resolved")


def test_own_rules_are_deleted_and_shipped_ones_refused(sign_in: SignIn, now: datetime) -> None:
    own, shipped, client = stored_rule(now), stored_rule(now, "Came", shipped_as="test_rule"), sign_in("olga")
    page = page_of(client, LIST)
    assert reverse("alert-rule-delete", args=[own.pk]) in page
    assert reverse("alert-rule-delete", args=[shipped.pk]) not in page
    sent = {"reason": "gone", "request_id": str(uuid4())}
    assert client.post(reverse("alert-rule-delete", args=[own.pk]), sent).status_code == 302
    assert client.post(reverse("alert-rule-delete", args=[own.pk]), sent).status_code == 302
    refused = client.post(
        reverse("alert-rule-delete", args=[shipped.pk]), sent | {"request_id": str(uuid4())}
    )
    assert refused.status_code == 422
    assert not AlertRule.objects.filter(pk=own.pk).exists()


def called(at: datetime, model: str, milliseconds: float) -> None:
    series, _ = Series.objects.get_or_create(
        operation_type="text_to_audio", model=model, defaults={"first_seen": at}
    )
    timed = {series.pk: [(at.timestamp(), Call("success", milliseconds))] * 20}
    with transaction.atomic():
        add_to_rollups(tally(timed))


SLOWER = Rule("Slow", "latency_p95", Threshold(operator="above", threshold=5_000, window_s=300))


@pytest.mark.django_db
def test_a_trial_ends_no_later_than_now() -> None:
    now = datetime(2026, 5, 4, 14, 32, tzinfo=UTC)
    called(now - timedelta(minutes=4), "audioldm2", 9_000)
    called(now - timedelta(minutes=1), "audioldm2", 40)

    (firing,) = backtest(SLOWER, now).firings

    assert firing.began == now - timedelta(minutes=2)
    assert firing.ended == now


@pytest.mark.django_db
def test_a_trials_lines_bear_the_model_alone_where_it_tells_them_apart() -> None:
    now = datetime(2026, 5, 4, 14, 32, tzinfo=UTC)
    for model in ("audioldm2", "musicgen-medium", OTHER):
        called(now - timedelta(minutes=4), model, 9_000)

    chart = trial_chart(SLOWER, backtest(SLOWER, now), now)

    assert chart is not None
    names = [trace["name"] for trace in chart.figure["data"]]
    assert "meta" not in chart.figure["layout"]
    assert names == ["audioldm2", "musicgen-medium", "text_to_audio, other", "threshold"]
    assert chart.columns[:2] == ("text_to_audio, audioldm2", "text_to_audio, musicgen-medium")
