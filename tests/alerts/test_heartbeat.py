"""A sign of life goes out each minute, and only while rules are evaluated."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from featurememory.alerts.heartbeat import beat
from featurememory.models import AlertHeartbeat, AlertRule
from tests.alerts.sink import Sink
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)


def rule(evaluated_at: datetime) -> AlertRule:
    return AlertRule.objects.create(
        name="r",
        kind="threshold",
        signal="x",
        severity="info",
        changed_at=evaluated_at,
        evaluated_at=evaluated_at,
    )


def calls(url: str, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, heartbeat_url=url)


def test_it_is_called_once_a_minute(sink: Sink, settings: Any, now: datetime) -> None:
    calls(f"{sink.url}/ping/1", settings)
    rule(now + timedelta(seconds=30))

    assert [beat(now + timedelta(seconds=each)) for each in (0, 5, 55, 60)] == [True, False, False, True]

    assert [each.path for each in sink.posts] == ["/ping/1", "/ping/1"]
    row = AlertHeartbeat.objects.get()
    assert (row.answer_status, row.error) == (200, "")


def test_it_stays_away_when_rules_are_not_evaluated(sink: Sink, settings: Any, now: datetime) -> None:
    calls(sink.url, settings)
    assert not beat(now)
    rule(now - timedelta(seconds=61))

    assert not beat(now)
    assert not sink.posts


def test_without_an_address_nothing_is_called(now: datetime) -> None:
    rule(now)

    assert not beat(now)


@pytest.mark.usefixtures("local_targets")
def test_a_failure_is_kept(settings: Any, now: datetime) -> None:
    calls(f"http://127.0.0.1:{free_port()}/secret-path", settings)
    rule(now)

    assert beat(now)

    assert "refused" in AlertHeartbeat.objects.get().error
