"""Senders that are gone are forgotten; what they dropped is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.test import Client

from featurememory.jobs import KEEP_SENDERS, forget_the_old
from featurememory.models import Source
from featurememory.observability.senders import FORGOTTEN, forget_senders
from featurememory.observability.signals import read_saturation
from featurememory.observability.span import Span
from tests.operations import bearer

DROPPED = "featurememory_sdk_dropped_operations_total"


def _seen(instance: str, at: datetime, dropped: int = 0) -> None:
    Source.objects.create(instance=instance, first_seen=at, last_seen=at, dropped=dropped)


def _scraped(client: Client, key: str, name: str) -> float:
    lines = client.get("/metrics", headers=bearer(key)).content.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_the_job_forgets_senders_and_the_counter_does_not_fall(
    client: Client, api_key: str, now: datetime
) -> None:
    for number in range(5):
        _seen(f"gone-{number}", now - KEEP_SENDERS - timedelta(minutes=number + 1), dropped=10)
    _seen("alive", now - timedelta(days=6), dropped=3)
    before = _scraped(client, api_key, DROPPED)

    for _ in range(2):
        forget_the_old()

    assert set(Source.objects.values_list("instance", "dropped")) == {(FORGOTTEN, 50), ("alive", 3)}
    assert _scraped(client, api_key, DROPPED) == before == 53


def test_who_is_forgotten_later_is_added_to_what_was_forgotten_before(db: None, now: datetime) -> None:
    _seen("first", now - timedelta(days=9), dropped=2)
    assert forget_senders(now - timedelta(days=8)) == 1
    _seen("second", now - timedelta(days=7), dropped=5)

    assert forget_senders(now - timedelta(days=6)) == 1
    assert forget_senders(now - timedelta(days=6)) == 0
    assert Source.objects.get().dropped == 7


def test_nobody_gone_leaves_no_row(db: None, now: datetime) -> None:
    assert forget_senders(now) == 0
    assert not Source.objects.exists()


def test_what_was_forgotten_is_no_sender(db: None, now: datetime) -> None:
    _seen("gone", now - timedelta(days=9), dropped=2)
    forget_senders(unseen_since=now - timedelta(days=7))

    saturation = read_saturation(Span.covering(now, now, 60), now)

    assert (saturation.senders, saturation.dropped) == (0, 2)
    assert str(Source.objects.get()) == "forgotten senders"
