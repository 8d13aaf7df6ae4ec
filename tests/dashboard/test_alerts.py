"""Alerts on pages: what fires, who has it, what changed before, and an operator's hand on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.silence_forms import matchers_for
from featurememory.alerts.labels import all_fit, matchers_in
from featurememory.models import Alert, AlertEvent, AlertRule, AuditEntry, Breaker
from tests.alerts.alerts import stored_alert
from tests.browser.alert_scene import evaluated
from tests.browser.scenarios import KINDS
from tests.dashboard.test_optimizations import page_of, text_of

Build = Callable[[str], None]
SignIn = Callable[[str], Client]
LIST = "/alerts/"


def noted(note: str = "on my way", **more: Any) -> dict[str, Any]:
    return {"note": note, "request_id": str(uuid4())} | more


def test_the_first_screen_says_what_fires_for_how_long_who_has_it_and_what_changed(
    sign_in: SignIn, situation: Build
) -> None:
    situation("incident")

    page = page_of(sign_in("olga"), LIST)

    told = text_of(page)
    assert "1 critical alert and 1 warning fire" in told
    assert "Breaker is open: text_to_audio:audioldm2" in told
    assert "olga has 1 alert; nobody has the other 2 yet." in told
    assert "Last change: breaker" in told
    assert "<title>(2) Alerts" in page
    assert 'data-title="(2) Alerts' in page
    assert "wiki.example.org" in page


def test_what_calls_for_somebody_is_apart_from_what_somebody_has_and_from_what_is_muted(
    sign_in: SignIn, situation: Build
) -> None:
    situation("incident")
    page = page_of(sign_in("viktor"), LIST)
    places = [page.index(each) for each in ('id="firing-title"', 'id="acknowledged-title"', 'id="muted"')]
    assert places == sorted(places)
    muted = text_of(page[places[2] :])
    assert "Silenced or inhibited 2" in muted
    assert "Breaker is open speaks for it." in muted
    assert "Pending 1" in muted


def test_the_worst_come_first_and_then_the_oldest(sign_in: SignIn, now: datetime) -> None:
    stored_alert(now, "newer", minutes=3)
    stored_alert(now, "older", minutes=30)
    stored_alert(now, "worst", minutes=1, name="Breaker open", severity="critical")
    told = text_of(page_of(sign_in("viktor"), LIST)).split("Breaker open")[-1]
    assert told.index("worst") < told.index("older") < told.index("newer")


def test_five_kinds_of_nothing_are_five_sentences(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("viktor")
    AlertRule.objects.update(is_enabled=False)
    none = text_of(page_of(client, LIST))
    AlertRule.objects.filter(pk=AlertRule.objects.values("pk")[:1]).update(is_enabled=True)
    evaluated(now)
    never = text_of(page_of(client, LIST))
    AlertRule.objects.update(error="OperationalError: it broke")
    failed = text_of(page_of(client, LIST))
    AlertRule.objects.update(error="", evaluated_at=now - timedelta(minutes=5))
    stopped = text_of(page_of(client, LIST))
    evaluated(now)
    stored_alert(now)
    filtered = text_of(page_of(client, f"{LIST}?text=nobody"))
    Alert.objects.update(state="resolved", resolved_at=now)
    zero = text_of(page_of(client, LIST))

    assert "No rule is switched on" in none
    assert "nothing has ever" in never
    assert "the last evaluation of 1 rule failed" in failed
    assert "rules are not evaluated since" in stopped
    assert "None of the 1 open alert that fits the filter" in filtered
    assert "Nothing fires that nobody keeps quiet." in zero


def test_every_page_says_when_rules_are_not_evaluated_and_how_many_alerts_call(
    sign_in: SignIn, situation: Build, now: datetime
) -> None:
    situation("incident")
    client = sign_in("viktor")
    for path in ("/breakers/", "/health/", LIST):
        page = page_of(client, path)
        assert 'id="unevaluated"' not in page
        assert '<span class="visually-hidden">calling for somebody: </span>2' in page
    AlertRule.objects.update(evaluated_at=now - timedelta(minutes=2))
    for path in ("/", "/breakers/", LIST, reverse("health-watch")):
        assert 'id="unevaluated"' in page_of(client, path), path


def test_the_overview_shows_the_worst_five_and_a_quiet_line_for_none(
    sign_in: SignIn, situation: Build, now: datetime
) -> None:
    situation("normal")
    client = sign_in("olga")
    assert "No alert fires." in text_of(page_of(client, "/"))
    for number in range(7):
        stored_alert(now, f"model-{number}")
    page = page_of(client, "/")
    assert page.count('href="/alerts/') > 5
    assert "and 2 more open alerts" in text_of(page)
    assert "/acknowledge/" in page


def test_the_page_of_an_alert_says_what_changed_before_and_offers_its_breaker(
    sign_in: SignIn, situation: Build
) -> None:
    situation("incident")
    alert = Alert.objects.get(labels__breaker=KINDS[0].breaker, state="firing")

    page = page_of(sign_in("olga"), f"{LIST}{alert.pk}/")

    told = text_of(page)
    assert "It fires for" in told
    assert "and nobody has it yet." in told
    assert f"Breaker {KINDS[0].breaker}: open" in told
    assert reverse("breaker-reset", args=[KINDS[0].breaker]) + f"?next=/alerts/{alert.pk}/" in page
    assert 'id="chart-signal"' in page
    assert "threshold" in told
    csv = sign_in("olga").get(reverse("alert-csv", args=[alert.pk]))
    assert csv.content.decode().startswith("at,value,threshold")


def test_from_the_list_to_a_reset_breaker_are_three_clicks_and_the_way_back(
    sign_in: SignIn, situation: Build
) -> None:
    situation("incident")
    client, name = sign_in("olga"), KINDS[0].breaker
    alert = Alert.objects.get(labels__breaker=name, state="firing")
    reset = reverse("breaker-reset", args=[name])
    assert f'href="/alerts/{alert.pk}/"' in page_of(client, LIST)
    assert f'href="{reset}?next=/alerts/{alert.pk}/"' in page_of(client, f"{LIST}{alert.pk}/")

    done = client.post(
        f"{reset}?next=/alerts/{alert.pk}/", {"reason": "well again", "request_id": str(uuid4())}
    )

    assert done["Location"] == f"/alerts/{alert.pk}/"
    assert Breaker.objects.get(name=name).state == "closed"


def test_nobody_is_sent_to_another_site(sign_in: SignIn, situation: Build) -> None:
    situation("incident")
    reset = reverse("breaker-reset", args=[KINDS[0].breaker])
    done = sign_in("olga").post(
        f"{reset}?next=https://evil.example/", {"reason": "x", "request_id": str(uuid4())}
    )
    assert done["Location"] == reverse("breaker", args=[KINDS[0].breaker])


@pytest.mark.parametrize("action", ["acknowledge", "note", "unacknowledge", "close"])
def test_an_operator_acts_with_a_note_once(sign_in: SignIn, now: datetime, action: str) -> None:
    alert = stored_alert(now, state="acknowledged" if action == "unacknowledge" else "firing")
    client, path, sent = sign_in("olga"), reverse(f"alert-{action}", args=[alert.pk]), noted()
    assert client.get(path).status_code == 200
    assert client.post(path, noted("")).status_code == 422

    for _ in range(2):
        done = client.post(path, sent, follow=True)

    assert done.redirect_chain == [(reverse("alert", args=[alert.pk]), 302)]
    assert 'class="banner banner-ok" role="status"' in done.content.decode()
    assert AuditEntry.objects.filter(action=f"alert.{action}", actor="olga").count() == 1
    assert "on my way" in text_of(done.content.decode())


def test_many_are_acknowledged_at_once_and_what_is_over_is_left_alone(sign_in: SignIn, now: datetime) -> None:
    first, second = stored_alert(now, "a"), stored_alert(now, "b")
    over = stored_alert(now, "c", state="resolved", resolved_at=now)
    ids, client, path = [first.pk, second.pk, over.pk], sign_in("olga"), reverse("alerts-acknowledge")
    assert "3 alerts" in text_of(
        page_of(client, f"{path}?alert={first.pk}&alert={second.pk}&alert={over.pk}")
    )

    done = text_of(client.post(path, noted(alert=ids), follow=True).content.decode())

    assert "2 alerts were acknowledged. Left alone: Calls are slow (is resolved)." in done
    assert set(Alert.objects.filter(state="acknowledged")) == {first, second}
    assert "Nothing is chosen" in text_of(page_of(client, f"{path}?alert=99999&alert=x&alert={'9' * 40}"))


def test_a_viewer_reads_and_may_not_act(sign_in: SignIn, situation: Build) -> None:
    situation("incident")
    client, alert = sign_in("viktor"), Alert.objects.filter(state="firing")[0]
    for path in (LIST, f"{LIST}{alert.pk}/", "/alerts/silences/", "/alerts/rules/"):
        page = page_of(client, path)
        assert "acknowledge/" not in page
        assert "silences/new/" not in page
        assert "rules/new/" not in page
    for name, arguments in (
        ("alert-acknowledge", [alert.pk]), ("alerts-close", []), ("alert-silence-new", []), ("alert-rule-new", []),
    ):  # fmt: skip
        assert client.get(reverse(name, args=arguments)).status_code == 403


def test_the_lists_cost_the_same_however_many_alerts(
    sign_in: SignIn, situation: Build, now: datetime, django_assert_max_num_queries: Any
) -> None:
    situation("incident")
    client = sign_in("olga")
    for number in range(40):
        stored_alert(now, f"m{number}", inhibited_by=Alert.objects.first() if number % 2 else None)
    page_of(client, LIST)
    with django_assert_max_num_queries(14):
        page_of(client, LIST)
    with django_assert_max_num_queries(13):
        client.get(LIST, headers={"HX-Request": "true"})
    with django_assert_max_num_queries(24):
        page_of(client, f"{LIST}{Alert.objects.filter(rule__isnull=False).first().pk}/")  # type: ignore[union-attr]


def test_what_others_wrote_is_only_text(sign_in: SignIn, now: datetime) -> None:
    alert = stored_alert(now, "<script>x</script>", summary="<b>bold</b>", source="alertmanager")
    AlertEvent.objects.create(alert=alert, kind="note", at=now, actor="<i>", note="<u>")
    for path in (LIST, f"{LIST}{alert.pk}/", f"{LIST}?text=%3Cscript%3E", f"{LIST}?text=%00&severity=odd"):
        page = page_of(sign_in("olga"), path)
        for each in ("<script>x", "<b>bold", "<u>"):
            assert each not in page


def test_a_silence_prefilled_for_many_alerts_fits_all_of_them() -> None:
    labels = [
        {"alertname": "A b", "severity": "info", "model": "x.y-z", "host": "1"},
        {"alertname": "A b", "severity": "critical", "model": 'q"(', "gpu": "2"},
    ]
    text = matchers_for(labels)
    assert text.splitlines()[0] == 'alertname="A b"'
    matchers = matchers_in(text)
    assert all(all_fit(matchers, each) for each in labels)
    assert not all_fit(matchers, labels[0] | {"model": "xay-z"})
