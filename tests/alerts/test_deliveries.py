"""What is planned is sent: once where all goes well, again with the same id where it does not, and to each channel
whatever becomes of the others."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from featurememory.alerts.delivering import LEASE, deliver_due, lease_next, send_test
from featurememory.alerts.planning import plan_deliveries
from featurememory.alerts.retries import FIRST, GIVEN_UP_AFTER, LONGEST, next_attempt
from featurememory.alerts.transports.webhook import SIGNATURE, is_signed
from featurememory.models import AlertDelivery, AlertGroup, AuditEntry
from featurememory.resource_management.tables import table_of
from tests.alerts.rows import SECRET, alert, over, route, webhook
from tests.alerts.sink import Sink
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(minutes=2)


def tell(now: datetime) -> int:
    plan_deliveries(now)
    return deliver_due(now)


def test_an_alert_is_told_in_alertmanagers_shape_and_signed(sink: Sink, now: datetime) -> None:
    route(webhook(now, f"{sink.url}/hook"), group_by=["breaker"])
    row = alert(now)

    assert tell(now) == 1

    (post,) = sink.posts
    body = post.json
    assert (post.path, body["version"], body["status"], body["receiver"]) == ("/hook", "4", "firing", "pager")
    assert body["groupLabels"] == {"breaker": "audioldm"}
    (told,) = body["alerts"]
    assert told["labels"] == {"breaker": "audioldm", "alertname": "Breaker open", "severity": "critical"}
    assert told["annotations"]["summary"] == "Breaker open: it refuses calls"
    assert told["endsAt"] == "0001-01-01T00:00:00Z"
    assert told["fingerprint"] == row.fingerprint
    header = post.headers[SIGNATURE]
    assert is_signed(header, post.body, SECRET, time.time())
    assert not is_signed(header, post.body + b" ", SECRET, time.time())
    assert not is_signed(header, post.body, SECRET, time.time() + 301)
    delivery = AlertDelivery.objects.get()
    assert (delivery.state, delivery.answer_status, delivery.answer) == ("delivered", 200, "ok")
    assert post.headers["Idempotency-Key"] == str(delivery.pk)


def test_nothing_is_told_twice_and_its_end_is_told_once(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    row = alert(now)
    for seconds in (0, 0, 5, 10):
        tell(now + timedelta(seconds=seconds))
    over(row, now + LATER)
    for seconds in (120, 125, 300):
        tell(now + timedelta(seconds=seconds))

    assert [each.json["status"] for each in sink.posts] == ["firing", "resolved"]
    assert not AlertGroup.objects.exists()


def test_planning_twice_at_once_makes_one_delivery(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now)

    def plan() -> None:
        plan_deliveries(now)
        connection.close()

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert AlertDelivery.objects.count() == 1


@pytest.mark.parametrize("changes", [{"is_silenced": True}, {"state": "pending"}, {"state": "acknowledged"}])
def test_what_is_muted_pending_or_known_is_not_told(
    sink: Sink, now: datetime, changes: dict[str, Any]
) -> None:
    route(webhook(now, sink.url))
    alert(now, **changes)

    assert tell(now) == 0


def test_what_is_inhibited_is_told_when_its_cause_is_over(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url), severities=["warning"])
    cause = alert(now)
    effect = alert(now, "Slow", severity="warning", inhibited_by=cause)
    assert tell(now) == 0

    effect.inhibited_by = None
    effect.save()
    assert tell(now + timedelta(seconds=5)) == 1
    effect.inhibited_by = cause
    over(effect, now + LATER)
    assert tell(now + LATER) == 0
    over(cause, now + LATER * 2)

    assert tell(now + LATER * 2) == 1


def test_an_outage_is_waited_out_and_the_same_id_comes_again(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now)
    sink.answer = lambda post: (503, {}, b"not now")
    tell(now)
    row = AlertDelivery.objects.get()
    assert (row.state, row.attempts, row.answer_status, row.answer) == ("waiting", 1, 503, "not now")
    assert now < row.next_attempt_at <= now + FIRST + timedelta(seconds=1)
    assert deliver_due(now + timedelta(seconds=5)) == 0

    sink.answer = lambda post: (200, {}, b"")
    assert deliver_due(now + FIRST * 2) == 1

    row.refresh_from_db()
    assert row.state == "delivered"
    assert sink.ids == [str(row.pk)] * 2


def test_a_receiver_says_how_long_it_wants_to_be_left_alone(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now)
    sink.answer = lambda post: (429, {"Retry-After": "120"}, b"")

    tell(now)

    assert AlertDelivery.objects.get().next_attempt_at >= now + timedelta(seconds=120)


def test_after_a_day_it_is_given_up(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now)
    sink.answer = lambda post: (500, {}, b"")
    tell(now)

    deliver_due(now + GIVEN_UP_AFTER)

    row = AlertDelivery.objects.get()
    assert (row.state, row.error) == ("failed", "It answered 500 Internal Server Error.")
    assert deliver_due(now + GIVEN_UP_AFTER * 2) == 0


def test_redirects_are_not_followed(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    alert(now)
    sink.answer = lambda post: (307, {"Location": f"{sink.url}/elsewhere"}, b"")

    tell(now)

    assert [each.path for each in sink.posts] == ["/"]
    assert "redirects are not followed" in AlertDelivery.objects.get().error


def test_a_dead_channel_holds_up_no_other(sink: Sink, now: datetime) -> None:
    dead = webhook(now, f"http://127.0.0.1:{free_port()}", "dead")
    route(dead, continues=True)
    route(webhook(now, sink.url), position=1)
    alert(now)

    tell(now)

    assert len(sink.posts) == 1
    assert AlertDelivery.objects.get(channel=dead).state == "waiting"
    assert "refused" in AlertDelivery.objects.get(channel=dead).error


def test_an_end_never_overtakes_its_beginning(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    row = alert(now)
    sink.answer = lambda post: (503, {}, b"")
    tell(now)
    AlertDelivery.objects.update(next_attempt_at=now + timedelta(hours=1))
    over(row, now + LATER)
    sink.answer = lambda post: (200, {}, b"")

    assert tell(now + LATER) == 0
    assert deliver_due(now + timedelta(hours=1)) == 2
    assert [each.json["status"] for each in sink.posts] == ["firing", "firing", "resolved"]


def test_a_worker_killed_in_mid_send_leaves_a_lease_and_another_sends_with_the_same_id(
    sink: Sink, now: datetime
) -> None:
    to = webhook(now, sink.url)
    route(to)
    alert(now)
    plan_deliveries(now)
    assert lease_next(to, now) is not None  # and is never heard of again

    assert deliver_due(now + LEASE / 2) == 0
    assert deliver_due(now + LEASE) == 1

    row = AlertDelivery.objects.get()
    assert (row.state, row.attempts, sink.ids) == ("delivered", 2, [str(row.pk)])


def test_two_workers_never_send_one_at_once(sink: Sink, now: datetime) -> None:
    to = webhook(now, sink.url)
    route(to, group_by=["breaker"])
    for number in range(20):
        alert(now, labels={"breaker": f"b{number}"})
    plan_deliveries(now)

    def deliver() -> None:
        deliver_due(now)
        connection.close()

    workers = [threading.Thread(target=deliver) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert sorted(sink.ids) == sorted(str(pk) for pk in AlertDelivery.objects.values_list("pk", flat=True))


def test_a_channel_that_is_switched_off_is_told_nothing_new(sink: Sink, now: datetime) -> None:
    to = webhook(now, sink.url)
    route(to)
    alert(now)
    plan_deliveries(now)
    to.is_enabled = False
    to.save()

    assert tell(now + LATER) == 0
    deliver_due(now + GIVEN_UP_AFTER + LATER)

    assert AlertDelivery.objects.get().error == "Its channel was switched off."


def test_escalation_goes_to_its_own_channel(sink: Sink, now: datetime) -> None:
    boss = webhook(now, f"{sink.url}/boss", "boss")
    route(webhook(now, f"{sink.url}/team"), escalate_after_s=300, escalate_to=boss)
    alert(now)
    tell(now)

    tell(now + timedelta(minutes=5))

    assert [each.path for each in sink.posts] == ["/team", "/boss"]


def test_a_test_is_sent_at_once_with_the_real_answer_and_audited(sink: Sink, now: datetime) -> None:
    to = webhook(now, sink.url)
    sink.answer = lambda post: (404, {}, b"no such hook")
    asked = "7ad6dcd6-9d50-4f4b-9ad4-0f4bd7ca1fd1"

    row = send_test(to, actor="anna", reason="new", now=now, request_id=asked)  # type: ignore[arg-type]
    again = send_test(to, actor="anna", reason="new", now=now, request_id=asked)  # type: ignore[arg-type]

    assert (row.state, row.answer_status, row.answer) == ("failed", 404, "no such hook")
    assert (again.pk, len(sink.posts)) == (row.pk, 1)
    assert AuditEntry.objects.get().action == "channel.test"


def test_waits_grow_to_a_quarter_of_an_hour() -> None:
    start = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    waits = []
    for attempts in range(1, 12):
        at = next_attempt(attempts, start, start, 1.0)
        assert at is not None
        waits.append(at - start)
    assert waits[:3] == [FIRST, FIRST * 2, FIRST * 4]
    assert waits[-1] == LONGEST
    assert next_attempt(90, start, start + GIVEN_UP_AFTER, 0.5) is None


def test_old_alerts_go_with_their_events_and_old_deliveries_go(sink: Sink, now: datetime) -> None:
    route(webhook(now, sink.url))
    cause = alert(now)
    effect = alert(now, "Slow", severity="warning", inhibited_by=cause)
    cause.events.create(kind="firing", at=now)
    over(cause, now)
    alert(now, "Other")
    plan_deliveries(now)
    table = table_of("alerts")

    assert table.rows_before(now + LATER) == 1
    remove = table.remover(now + LATER)
    assert (remove(1_000), remove(1_000)) == (1, 0)

    effect.refresh_from_db()
    assert effect.inhibited_by is None
    assert table_of("deliveries").remover(now)(1_000) == 0
    assert table_of("deliveries").remover(now + LATER)(1_000) == 1


def test_the_readmes_receiver_believes_what_is_ours_alone() -> None:
    from featurememory.alerts.transports.webhook import signature
    from tests.servers import ROOT

    readme = (ROOT / "README.md").read_text()
    scope: dict[str, Any] = {}
    exec(readme[readme.index("import hashlib, hmac") :].split("```")[0], scope)  # noqa: S102 - the README's own

    header = signature(b"{}", SECRET, int(time.time()))

    assert scope["is_ours"](header, b"{}", SECRET)
    assert not scope["is_ours"](header, b"{ }", SECRET)
    assert not scope["is_ours"](signature(b"{}", SECRET, int(time.time()) - 400), b"{}", SECRET)


def test_of_very_many_alerts_a_message_says_how_many_it_leaves_out(
    sink: Sink, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featurememory.alerts.planning.MOST_ALERTS", 3)
    route(webhook(now, sink.url))
    for number in range(5):
        alert(now, labels={"breaker": f"b{number}"})

    tell(now)

    body = sink.posts[0].json
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (3, 2)
