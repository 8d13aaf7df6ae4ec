"""Notification is a component of health: who is not told is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.planning import plan_deliveries
from featurememory.observability.health import UNTOLD_AFTER, ChannelSeen, Status, judge_notification
from featurememory.observability.health_snapshot import look_around
from tests.alerts.rows import alert, route, webhook
from tests.alerts.sink import Sink

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WELL = ChannelSeen("pager", True)


@pytest.mark.parametrize(
    ("channels", "status", "said"),
    [
        ([], Status.HEALTHY, "Nobody is told: no channel is set up."),
        ([replace(WELL, has_route=False)], Status.HEALTHY, "Nobody is told: no route leads to a channel."),
        ([WELL], Status.HEALTHY, "Whoever is to be told is told."),
        ([replace(WELL, waiting=1, oldest_at=NOW)], Status.HEALTHY, "Whoever is to be told is told."),
        (
            [WELL, replace(WELL, name="room", error="refused")],
            Status.DEGRADED,
            "room is tried again: refused.",
        ),
        ([replace(WELL, given_up=2)], Status.DEGRADED, "pager was not told of everything: it was given up."),
        (
            [replace(WELL, waiting=1, oldest_at=NOW - UNTOLD_AFTER * 2, error="refused")],
            Status.UNHEALTHY,
            "Not told for 10 min: pager. refused.",
        ),
        (
            [replace(WELL, waiting=1, oldest_at=NOW - UNTOLD_AFTER * 2)],
            Status.UNHEALTHY,
            "Not told for 10 min: pager. Nobody sends them.",
        ),
    ],
)
def test_it_is_judged_by_what_waits(channels: list[ChannelSeen], status: Status, said: str) -> None:
    judged = judge_notification(channels, NOW)

    assert (judged.status, judged.reason) == (status, said)


@pytest.mark.django_db(transaction=True)
def test_an_outage_shows_and_passes(sink: Sink, now: datetime) -> None:
    def status(after: timedelta = timedelta(0)) -> str:
        return look_around(now + after)["notification"].status.value

    route(webhook(now, sink.url))
    alert(now)
    assert status() == "healthy"
    sink.answer = lambda post: (503, {}, b"")
    plan_deliveries(now)
    deliver_due(now)
    assert status() == "degraded"
    assert status(UNTOLD_AFTER * 2) == "unhealthy"

    sink.answer = lambda post: (200, {}, b"")
    deliver_due(now + timedelta(minutes=1))
    assert status(UNTOLD_AFTER * 2) == "healthy"
