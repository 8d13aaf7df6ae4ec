"""The page of who is told: channels and routes set up by administrators alone, secrets shown to nobody, tests sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.planning import plan_deliveries
from featurememory.models import AlertChannel, AlertDelivery, AlertHeartbeat, AlertRoute, AuditEntry
from tests.alerts.rows import SECRET, alert, channel, route, webhook
from tests.alerts.sink import Sink, running_sink
from tests.dashboard.test_optimizations import page_of, text_of

SignIn = Callable[[str], Client]
PAGE = "/alerts/channels/"
ACTS = ("add/webhook/", "{0}/change/", "{0}/delete/", "{0}/test/")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, private_targets=("127.0.0.1",))
    with running_sink() as running:
        yield running


def given(**fields: Any) -> dict[str, Any]:
    return {"reason": "the new pager", "request_id": str(uuid4())} | fields


def timed(**fields: Any) -> dict[str, Any]:
    return given(
        **{
            "position": 0,
            "group_wait_s": 10,
            "group_interval_s": 60,
            "repeat_s": 3_600,
            "send_resolved": "on",
        }
        | fields
    )


def test_without_a_channel_it_says_that_nobody_is_told(sign_in: SignIn) -> None:
    page = text_of(page_of(sign_in("viktor"), PAGE))

    assert "Nobody is told: no channel is set up. An administrator can add one." in page
    assert "Add webhook" not in page
    assert "FEATUREMEMORY_HEARTBEAT_URL" in page


def test_an_administrator_adds_a_channel_once_however_often_it_is_submitted(
    sign_in: SignIn, sink: Sink
) -> None:
    admin, form = (
        sign_in("admin"),
        given(name="pager", url=f"{sink.url}/hook", secret=SECRET, is_enabled="on"),
    )

    for _ in range(2):
        assert admin.post(f"{PAGE}add/webhook/", form).status_code == 302

    row = AlertChannel.objects.get()
    assert (row.name, row.settings["secret"], row.created_by) == ("pager", SECRET, "admin")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("channel.add", "the new pager")
    page = page_of(admin, PAGE)
    assert "Nothing leads here" in text_of(page)
    assert f"{sink.url}/hook" in page
    assert SECRET not in page


def test_an_empty_secret_is_kept_and_never_shown(sign_in: SignIn, sink: Sink, now: datetime) -> None:
    row, admin = webhook(now, sink.url), sign_in("admin")
    assert SECRET not in page_of(admin, f"{PAGE}{row.pk}/change/")

    answer = admin.post(f"{PAGE}{row.pk}/change/", given(name="pager", url=f"{sink.url}/new", secret=""))

    assert answer.status_code == 302
    row.refresh_from_db()
    assert row.settings == {"url": f"{sink.url}/new", "secret": SECRET}
    assert not row.is_enabled
    assert SECRET not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("name", ["olga", "viktor"])
def test_nobody_else_sees_settings_or_changes_them(
    sign_in: SignIn, sink: Sink, now: datetime, name: str
) -> None:
    row = webhook(now, f"{sink.url}/hidden")
    path = route(row)
    client = sign_in(name)

    page = page_of(client, PAGE)
    assert "pager" in page
    assert "/hidden" not in page
    for each in ACTS:
        assert client.post(PAGE + each.format(row.pk), given()).status_code == 403
    for each in ("add/", f"{path.pk}/change/", f"{path.pk}/delete/"):
        assert client.get(f"/alerts/routes/{each}").status_code == 403


def test_a_private_target_is_refused_beside_its_field(sign_in: SignIn) -> None:
    answer = sign_in("admin").post(
        f"{PAGE}add/slack/", given(name="room", url="http://127.0.0.1:9/services/x")
    )

    assert answer.status_code == 422
    assert "FEATUREMEMORY_PRIVATE_TARGETS" in answer.content.decode()
    assert not AlertChannel.objects.exists()


def test_a_route_is_added_changed_and_deleted(sign_in: SignIn, now: datetime) -> None:
    admin = sign_in("admin")
    team, boss = (
        channel(now, "team", "slack", url="https://x"),
        channel(now, "boss", "slack", url="https://y"),
    )
    form = timed(
        channel=team.pk,
        severities=["critical", "warning"],
        matchers="model=whisper\npool=~gpu.*",
        group_by="model, pool",
        escalate_after_s=600,
        escalate_to=boss.pk,
    )

    assert admin.post("/alerts/routes/add/", form).status_code == 302
    assert admin.post("/alerts/routes/add/", form).status_code == 302

    row = AlertRoute.objects.get()
    assert row.group_by == ["model", "pool"]
    page = text_of(page_of(admin, PAGE))
    assert (
        "Severity critical or warning and model=&quot;whisper&quot; and pool=~&quot;gpu.*&quot; to team"
        in page
    )
    assert "To boss where nobody acknowledges within 10 min." in page
    edit = f"/alerts/routes/{row.pk}/change/"
    assert "model=&quot;whisper&quot;" in page_of(admin, edit)
    assert admin.post(edit, timed(channel=boss.pk)).status_code == 302
    row.refresh_from_db()
    assert (row.channel, row.matchers, row.escalate_to) == (boss, [], None)

    refused = admin.post(f"{PAGE}{boss.pk}/delete/", given())
    assert refused.status_code == 422
    assert "routes that lead to it" in refused.content.decode()
    gone = given()
    for _ in range(2):
        assert admin.post(f"/alerts/routes/{row.pk}/delete/", gone).status_code == 302
    assert admin.post(f"{PAGE}{boss.pk}/delete/", given()).status_code == 302
    assert [each.action for each in AuditEntry.objects.order_by("pk")] == [
        "route.add",
        "route.change",
        "route.delete",
        "channel.delete",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matchers": "whisper"}, "must read like"),
        ({"escalate_after_s": 60}, "give both or neither"),
        ({"repeat_s": 1}, "60 to 2,592,000 seconds"),
        ({"group_by": "a b"}, "names of labels"),
    ],
)
def test_a_wrong_route_says_what_is_wrong(
    sign_in: SignIn, now: datetime, changes: dict[str, Any], said: str
) -> None:
    team = channel(now, "team", "slack", url="https://x")

    answer = sign_in("admin").post("/alerts/routes/add/", timed(channel=team.pk) | changes)

    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_the_test_button_sends_at_once_and_shows_the_real_answer(
    sign_in: SignIn, sink: Sink, now: datetime
) -> None:
    row, admin = webhook(now, sink.url), sign_in("admin")
    sink.answer = lambda post: (410, {}, b"moved to another pager")

    answer = admin.post(f"{PAGE}{row.pk}/test/", given())

    told = text_of(answer.content.decode())
    assert "It did not take the test. It answered 410 Gone." in told
    assert "moved to another pager" in told
    assert sink.posts[0].json["alerts"][0]["labels"]["alertname"] == "FeatureMemoryTest"
    assert AlertDelivery.objects.get().state == "failed"


def test_the_log_says_what_was_told_and_what_was_answered(sign_in: SignIn, sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now, "Queue full")
    sink.answer = lambda post: (503, {}, b"later please")
    plan_deliveries(now)
    deliver_due(now)

    page = text_of(page_of(sign_in("olga"), PAGE))

    assert "pager Queue full: fires Waits" in page
    assert "later please" in page
    assert "Does not take it" in page
    assert "later please" not in page_of(sign_in("viktor"), PAGE)


def test_the_log_goes_on_on_another_page(sign_in: SignIn, now: datetime) -> None:
    for number in range(35):
        AlertDelivery.objects.create(
            channel_name=f"c{number}",
            kind="test",
            event_key=str(number),
            created_at=now - timedelta(minutes=number),
            next_attempt_at=now,
            state="delivered",
        )
    viktor = sign_in("viktor")
    page = page_of(viktor, PAGE)
    assert "c29" in page
    assert "c30" not in page
    older = page.split('href="?before=')[1].split('"')[0]

    page = page_of(viktor, f"{PAGE}?before={older}")

    assert "c30" in page
    assert "Older" not in page
    assert page_of(viktor, f"{PAGE}?before=yesterday")


def test_the_number_of_queries_does_not_grow(
    sign_in: SignIn, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        route(channel(now, f"c{number}", "slack", url="https://x"))
    admin = sign_in("admin")

    with django_assert_max_num_queries(20):
        page_of(admin, PAGE)


def test_the_sign_of_life_says_why_it_is_held_back(sign_in: SignIn, now: datetime, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, heartbeat_url="https://hc.example.com/1")
    AlertHeartbeat.objects.create(pk=1, called_at=now, answer_status=200)

    page = text_of(page_of(sign_in("viktor"), PAGE))

    assert "Held back" in page
    assert "answered 200." in page
    assert "hc.example.com" not in page
