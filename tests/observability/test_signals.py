"""What pages read of a span of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from featurememory.models import HealthSnapshot, ProcessRecord, Series, Source
from featurememory.observability.signals import (
    MAX_SAMPLES,
    read_cardinality,
    read_saturation,
)
from featurememory.observability.span import Span

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SPAN = Span(START, START + timedelta(minutes=10), 300)


def _series(operation_type: str = "transcription", model: str = "whisper") -> Series:
    return Series.objects.create(operation_type=operation_type, model=model, first_seen=START)


def _snapshot(seconds: int, **metrics: float) -> HealthSnapshot:
    components = {"ingestion": {"status": "healthy", "reason": "", "metrics": metrics}}
    return HealthSnapshot(at=START + timedelta(seconds=seconds), status="healthy", components=components)


@pytest.mark.django_db
def test_saturation_shows_the_fullest_look_of_each_step(django_assert_num_queries: Any) -> None:
    HealthSnapshot.objects.bulk_create(
        [_snapshot(3, queue_fill=0.2, commit_ms_p99=9.0), _snapshot(18, queue_fill=0.7, commit_ms_p99=4.0)]
    )
    web = {"queue_depth": 50, "queue_limit": 200, "refused": 7, "commit_ms_p99": 3.5}
    for pid, age in ((1, 0), (2, 3_600)):
        ProcessRecord.objects.create(
            host="a",
            pid=pid,
            role="web",
            started_at=START,
            seen_at=START - timedelta(seconds=age),
            metrics=web,
        )
    for name, age in (("old", 900), ("new", 1)):
        seen = START - timedelta(seconds=age)
        Source.objects.create(instance=name, first_seen=seen, last_seen=seen, dropped=4)

    with django_assert_num_queries(5):
        saturation = read_saturation(SPAN, START)

    assert saturation.fill == (0.7, None)
    assert saturation.commit_ms_p99 == (9.0, None)
    assert [(writer.process, writer.fill) for writer in saturation.writers] == [("a:1", 0.25)]
    assert (saturation.refused, saturation.senders, saturation.dropped) == (7, 1, 8)


@pytest.mark.django_db
def test_of_a_long_span_only_every_nth_snapshot_is_read() -> None:
    HealthSnapshot.objects.bulk_create(
        [_snapshot(15 * turn, queue_fill=0.1, commit_ms_p99=1.0) for turn in range(2 * MAX_SAMPLES)]
    )
    HealthSnapshot.objects.filter(pk=HealthSnapshot.objects.order_by("pk").first().pk // 3 * 3 + 4).update(
        components={"ingestion": {"metrics": {"queue_fill": 1.0}}}
    )
    span = Span.covering(START, START + timedelta(seconds=30 * MAX_SAMPLES), 3_600)

    saturation = read_saturation(span, START)

    assert set(saturation.fill) == {0.1}


@pytest.mark.django_db
def test_a_snapshot_is_read_once(django_assert_num_queries: Any) -> None:
    HealthSnapshot.objects.bulk_create([_snapshot(3, queue_fill=0.2), _snapshot(310, queue_fill=0.4)])
    first = read_saturation(SPAN, START)
    HealthSnapshot.objects.bulk_create([_snapshot(330, queue_fill=0.9)])

    with django_assert_num_queries(5) as asked:
        second = read_saturation(SPAN, START)
    with django_assert_num_queries(4):
        third = read_saturation(SPAN, START)

    (read,) = [query["sql"] for query in asked.captured_queries if "queue_fill" in query["sql"]]
    assert re.search(r'"id" IN \(\d+\)', read)
    assert (first.fill, second.fill, third.fill) == ((0.2, 0.4), (0.2, 0.9), (0.2, 0.9))


@pytest.mark.django_db
def test_a_snapshot_without_figures_leaves_a_gap() -> None:
    HealthSnapshot.objects.bulk_create([_snapshot(3)])

    assert read_saturation(SPAN, START).fill == (None, None)


@pytest.mark.django_db
@pytest.mark.django_db
def test_series_beyond_the_limits_are_counted() -> None:
    _series()
    _series("transcription", "other")
    _series("other", "whisper")

    cardinality = read_cardinality()

    assert (cardinality.series, cardinality.folded) == (3, 2)
