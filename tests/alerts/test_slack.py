"""The shape of Slack's incoming webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.planning import plan_deliveries
from featurememory.models import AlertDelivery
from tests.alerts.rows import alert, channel, route
from tests.alerts.sink import Sink

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/services/T000/B000/XXXXXXXX"


def test_a_message_has_a_line_and_an_attachment_each(sink: Sink, now: datetime) -> None:
    route(channel(now, "room", "slack", url=sink.url + PATH))
    alert(now, "Queue full", summary="<!channel> & more")
    alert(now, "Slow", severity="warning")
    plan_deliveries(now)

    deliver_due(now)

    (post,) = sink.posts
    assert post.path == PATH
    assert post.json["text"] == "Critical: Queue full and 1 more (2 alerts)"
    first, second = post.json["attachments"]
    assert first["text"].startswith("&lt;!channel&gt; &amp; more")
    assert first["text"].endswith("<https://runbooks.example.com/breakers|Runbook>")
    assert first["color"] != second["color"]


def test_many_alerts_are_counted(sink: Sink, now: datetime) -> None:
    route(channel(now, "room", "slack", url=sink.url + PATH))
    for number in range(25):
        alert(now, labels={"breaker": f"b{number}"})
    plan_deliveries(now)

    deliver_due(now)

    attachments = sink.posts[0].json["attachments"]
    assert len(attachments) == 21
    assert attachments[-1] == {"text": "and 5 more"}


def test_it_waits_as_long_as_slack_asks_and_tells_nobody_the_address(sink: Sink, now: datetime) -> None:
    route(channel(now, "room", "slack", url=sink.url + PATH))
    alert(now)
    sink.answer = lambda post: (429, {"Retry-After": "90"}, f"slow down at {PATH}".encode())
    plan_deliveries(now)

    deliver_due(now)

    row = AlertDelivery.objects.get()
    assert row.next_attempt_at >= now + timedelta(seconds=90)
    assert row.answer == "slow down at ***"
