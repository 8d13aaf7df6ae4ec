"""Latency, rate and errors of a span, from rollups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from featurememory.models import Rollup, Series
from featurememory.observability.figures import Figures
from featurememory.observability.histogram import Histogram
from featurememory.observability.rollups import TOTAL, add_to_rollups, tally
from featurememory.observability.span import Span
from featurememory.observability.traffic import read_traffic

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SPAN = Span(START, START + timedelta(minutes=10), 300)


class Call(NamedTuple):
    outcome: str
    duration_ms: float


def _series(operation_type: str = "transcription", model: str = "whisper") -> Series:
    return Series.objects.create(operation_type=operation_type, model=model, first_seen=START)


def _happened(series: Series, minute: int, *calls: Call) -> None:
    at = (START + timedelta(minutes=minute)).timestamp()
    add_to_rollups(tally({series.pk: [(at, call) for call in calls]}))


def _succeeded(*durations_ms: float) -> list[Call]:
    return [Call("success", duration) for duration in durations_ms]


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


def test_minutes_merge_into_steps_exactly(db: None) -> None:
    whisper, clap = _series(), _series("analysis", "clap")
    early, late = [10.0, 20.0, 30.0], [40.0, 1_000.0]
    _happened(whisper, 0, *_succeeded(10.0, 20.0), Call("error", 30.0))
    _happened(clap, 4, Call("success", 40.0), Call("timeout", 1_000.0), *[Call("rejected", 9_999.0)] * 3)
    _happened(whisper, 7, *_succeeded(5.0))
    _happened(whisper, 10, *_succeeded(9_999.0))  # the span ends before it
    _happened(whisper, -1, *_succeeded(9_999.0))

    traffic = read_traffic(SPAN)

    together = Histogram([*early, *late]).quantiles(0.5, 0.95, 0.99)
    first, second = traffic.steps
    assert [first.p50, first.p95, first.p99] == together
    assert (first.success, first.error, first.timeout, first.rejected, first.longest) == (3, 1, 1, 3, 1_000.0)
    assert (second.calls, second.longest) == (1, 5.0)
    assert traffic.total.calls == 9
    assert traffic.total.p50 == Histogram([*early, *late, 5.0]).quantile(0.5)


def test_the_sum_over_all_time_is_no_minute(db: None) -> None:
    _happened(_series(), 0, *_succeeded(1.0))
    Rollup.objects.filter(resolution=TOTAL).update(start=START)

    assert read_traffic(SPAN).total.calls == 1


def test_a_step_without_calls_has_no_latency_instead_of_zero(db: None) -> None:
    _happened(_series(), 0, *_succeeded(1.0))

    assert read_traffic(SPAN).steps[1] == Figures()


def test_series_come_with_the_most_failures_first_then_with_the_longest_wait(db: None) -> None:
    _happened(_series("a", ""), 0, *_succeeded(*[1.0] * 9))
    _happened(_series("b", ""), 0, *_succeeded(*[500.0] * 9))
    _happened(_series("c", "other"), 0, Call("error", 1.0))

    found = read_traffic(SPAN).series

    assert [each.operation_type for each in found] == ["c", "b", "a"]
    assert [each.is_other for each in found] == [True, False, False]
