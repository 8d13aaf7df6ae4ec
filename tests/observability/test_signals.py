"""What pages read of a span of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from featurememory.models import Breaker, BreakerEvent, HealthSnapshot, ProcessRecord, Rollup, Series, Source
from featurememory.observability.histogram import Histogram
from featurememory.observability.signals import (
    MAX_SAMPLES,
    Figures,
    Span,
    read_cardinality,
    read_saturation,
    read_traffic,
    read_transitions,
)

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SPAN = Span(START, START + timedelta(minutes=10), 300)


def _rollup(
    series: Series, minute: int, durations_ms: list[float], resolution: int = 60, **outcomes: int
) -> Rollup:
    return Rollup.objects.create(
        series=series,
        resolution=resolution,
        start=START + timedelta(minutes=minute),
        duration_sum_ms=sum(durations_ms),
        duration_max_ms=max(durations_ms, default=0.0),
        histogram=Histogram(durations_ms).to_bytes(),
        **(outcomes or {"success": len(durations_ms)}),
    )


def _series(operation_type: str = "transcription", model: str = "whisper") -> Series:
    return Series.objects.create(operation_type=operation_type, model=model, first_seen=START)


def test_a_span_covers_whole_steps_and_knows_each_moment_s_place() -> None:
    span = Span.covering(START + timedelta(seconds=7), START + timedelta(seconds=601), 300)

    assert (span.start, span.end, len(span)) == (START, START + timedelta(minutes=15), 3)
    assert [span.index_of(at) for at in span] == [0, 1, 2]


def test_a_span_of_nothing_has_one_step() -> None:
    assert len(Span.covering(START, START, 60)) == 1


def test_only_errors_and_time_outs_among_calls_that_ended_count_as_failed() -> None:
    figures = Figures(success=6, error=1, timeout=1, cancelled=5, rejected=20)

    assert figures.failed_share == 0.25
    assert figures.calls == 33
    assert Figures(rejected=3).failed_share is None


@pytest.mark.django_db
def test_minutes_merge_into_steps_exactly(django_assert_num_queries: Any) -> None:
    whisper, clap = _series(), _series("analysis", "clap")
    early, late = [10.0, 20.0, 30.0], [40.0, 1_000.0]
    _rollup(whisper, 0, early, success=2, error=1)
    _rollup(clap, 4, late, success=1, timeout=1, rejected=3)
    _rollup(whisper, 7, [5.0])
    _rollup(whisper, 10, [9_999.0])  # the span ends before it
    _rollup(whisper, -1, [9_999.0])

    with django_assert_num_queries(1):
        traffic = read_traffic(SPAN)

    together = Histogram([*early, *late]).quantiles(0.5, 0.95, 0.99)
    first, second = traffic.steps
    assert [first.p50, first.p95, first.p99] == together
    assert (first.success, first.error, first.timeout, first.rejected, first.longest) == (3, 1, 1, 3, 1_000.0)
    assert (second.calls, second.longest) == (1, 5.0)
    assert traffic.total.calls == 9
    assert traffic.total.p50 == Histogram([*early, *late, 5.0]).quantile(0.5)


@pytest.mark.django_db
def test_the_sum_over_all_time_is_no_minute() -> None:
    _rollup(_series(), 0, [1.0], resolution=0)

    assert read_traffic(SPAN).total.calls == 0


@pytest.mark.django_db
def test_a_step_without_calls_has_no_latency_instead_of_zero() -> None:
    _rollup(_series(), 0, [1.0])

    assert read_traffic(SPAN).steps[1] == Figures()


@pytest.mark.django_db
def test_series_come_with_the_most_failures_first_then_with_the_longest_wait() -> None:
    _rollup(_series("a", ""), 0, [1.0] * 9)
    _rollup(_series("b", ""), 0, [500.0] * 9)
    _rollup(_series("c", "other"), 0, [1.0], success=0, error=1)

    found = read_traffic(SPAN).series

    assert [each.operation_type for each in found] == ["c", "b", "a"]
    assert [each.is_other for each in found] == [True, False, False]


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

    with django_assert_num_queries(3):
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
def test_a_snapshot_without_figures_leaves_a_gap() -> None:
    HealthSnapshot.objects.bulk_create([_snapshot(3)])

    assert read_saturation(SPAN, START).fill == (None, None)


@pytest.mark.django_db
def test_transitions_come_newest_first_and_only_those_of_the_span() -> None:
    breaker = Breaker.objects.create(name="t:w", changed_at=START, created_at=START)
    for sequence, minute in enumerate((-1, 1, 9, 10), start=1):
        BreakerEvent.objects.create(
            sequence=sequence,
            breaker=breaker,
            from_state="closed",
            to_state="open",
            computed_state="open",
            cause="max_failures",
            epoch=sequence,
            at=START + timedelta(minutes=minute),
        )

    assert [each.at.minute for each in read_transitions(SPAN)] == [9, 1]
    assert len(read_transitions(SPAN, limit=1)) == 1


@pytest.mark.django_db
def test_series_beyond_the_limits_are_counted() -> None:
    _series()
    _series("transcription", "other")
    _series("other", "whisper")

    cardinality = read_cardinality()

    assert (cardinality.series, cardinality.folded) == (3, 2)
