"""The latency histogram is accurate, merges exactly and survives being stored."""

from __future__ import annotations

from math import ceil, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.observability.histogram import (
    BUCKETS_PER_DOUBLING,
    RELATIVE_ERROR,
    SMALLEST_MS,
    Histogram,
    HistogramSum,
    bucket_of,
    merged,
    middle,
    upper_bound,
)

durations = st.floats(min_value=SMALLEST_MS, max_value=7 * 24 * 3_600_000.0)
histories = st.lists(durations, max_size=60)
counted = st.dictionaries(st.integers(-700, 2_000), st.integers(1, 2**63), max_size=40)


def with_counts(counts: dict[int, int]) -> Histogram:
    histogram = Histogram()
    histogram.counts = dict(counts)
    return histogram


def test_the_promised_error_is_below_one_percent() -> None:
    assert RELATIVE_ERROR <= 0.01


@given(durations)
def test_a_duration_is_reported_within_the_relative_error(duration: float) -> None:
    reported = Histogram([duration]).quantile(0.5)
    assert reported is not None
    assert abs(reported - duration) <= duration * RELATIVE_ERROR * (1 + 1e-9)


@given(durations)
def test_bounds_agree_with_the_formula_of_opentelemetry_and_prometheus(duration: float) -> None:
    bucket, base = bucket_of(duration), 2 ** (2**-6)
    assert isclose(upper_bound(bucket), base ** (bucket + 1))
    assert base**bucket * (1 - 1e-12) <= duration <= upper_bound(bucket) * (1 + 1e-12)


@pytest.mark.parametrize("power", range(-9, 30))
def test_a_power_of_two_is_the_inclusive_upper_bound_of_its_bucket(power: int) -> None:
    assert bucket_of(2.0**power) == power * BUCKETS_PER_DOUBLING - 1
    assert upper_bound(bucket_of(2.0**power)) == 2.0**power


@pytest.mark.parametrize("duration", [0, 0.0, 1e-300, SMALLEST_MS])
def test_what_is_shorter_than_a_microsecond_counts_as_one(duration: float) -> None:
    assert bucket_of(duration) == bucket_of(SMALLEST_MS)


@given(histories.filter(bool), st.lists(st.floats(0, 1), min_size=1, max_size=5).map(sorted))
def test_quantiles_are_those_of_the_sorted_list_within_the_error(
    history: list[float], shares: list[float]
) -> None:
    ordered = sorted(history)
    for share, found in zip(shares, Histogram(history).quantiles(*shares), strict=True):
        rank = share * (len(ordered) - 1)
        exact = ordered[int(rank)]
        assert abs(found - exact) <= exact * RELATIVE_ERROR * (1 + 1e-9), (share, ordered)


@given(histories.filter(bool))
def test_quantiles_rise_with_their_share_and_stay_between_the_extremes(history: list[float]) -> None:
    found = Histogram(history).quantiles(0, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
    assert found == sorted(found)
    assert found[0] == middle(bucket_of(min(history)))
    assert found[-1] == middle(bucket_of(max(history)))


def test_an_empty_histogram_has_no_quantiles() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().quantiles(0.5, 0.99) == []


@given(st.lists(histories, max_size=5), st.randoms())
def test_merging_in_any_order_equals_recording_together(parts: list[list[float]], order: object) -> None:
    together = Histogram(duration for part in parts for duration in part)
    order.shuffle(parts)  # type: ignore[attr-defined]
    whole = Histogram()
    for part in parts:
        whole.merge(Histogram(part))
    assert whole == together
    assert whole.count == sum(map(len, parts))


@given(histories, st.integers(1, 1_000))
def test_recording_many_times_equals_recording_each(history: list[float], times: int) -> None:
    one_by_one = Histogram()
    for duration in history:
        one_by_one.record(duration)
    assert one_by_one == Histogram(history)
    repeated, longhand = Histogram(), Histogram()
    for duration in history:
        repeated.record(duration, times)
        longhand.record_all([duration] * times)
    assert repeated == longhand


@given(counted)
def test_bytes_give_the_same_histogram_back(counts: dict[int, int]) -> None:
    histogram = with_counts(counts)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram
    assert Histogram.from_bytes(memoryview(histogram.to_bytes())) == histogram


@given(counted)
def test_bytes_are_never_longer_than_twelve_a_bucket_and_one(counts: dict[int, int]) -> None:
    assert len(with_counts(counts).to_bytes()) <= max(1 + 12 * len(counts), 0)


@given(counted, counted)
def test_merging_into_bytes_equals_merging_histograms(stored: dict[int, int], added: dict[int, int]) -> None:
    stored = {bucket: count // 2 + 1 for bucket, count in stored.items()}  # a sum of two fits 64 bits
    added = {bucket: count // 2 for bucket, count in added.items() if count > 1}
    whole = with_counts(stored)
    whole.merge(with_counts(added))
    assert Histogram.from_bytes(merged(with_counts(stored).to_bytes(), with_counts(added))) == whole


@given(st.lists(histories, max_size=8))
def test_merging_again_and_again_into_bytes_loses_nothing(parts: list[list[float]]) -> None:
    data = b""
    for part in parts:
        data = merged(data, Histogram(part))
    assert Histogram.from_bytes(data) == Histogram(duration for part in parts for duration in part)


@given(st.lists(st.dictionaries(st.integers(-700, 2_000), st.integers(1, 2**56), max_size=40), max_size=6))
def test_adding_stored_histograms_equals_merging_them(parts: list[dict[int, int]]) -> None:
    whole, added = Histogram(), HistogramSum()
    for part in parts:
        whole.merge(with_counts(part))
        added.add(HistogramSum.from_bytes(with_counts(part).to_bytes()))
    assert added.histogram() == whole
    assert added.to_bytes() == whole.to_bytes()
    assert added.quantiles(0.0, 0.5, 0.99, 1.0) == whole.quantiles(0.0, 0.5, 0.99, 1.0)


@given(st.lists(histories, max_size=6))
def test_adding_histograms_of_neighbouring_durations_loses_nothing(parts: list[list[float]]) -> None:
    """Those are stored dense."""
    whole = HistogramSum()
    for part in parts:
        whole.add(HistogramSum.from_bytes(Histogram(100 + duration % 20 for duration in part).to_bytes()))
    assert whole.histogram() == Histogram(100 + duration % 20 for part in parts for duration in part)


@pytest.mark.parametrize("size", [255, 256, 65_535, 65_536, 2**32 - 1, 2**32])
def test_counts_outgrow_their_bytes_without_wrapping(size: int) -> None:
    stored = with_counts(dict.fromkeys(range(10), size))
    assert Histogram.from_bytes(merged(stored.to_bytes(), with_counts({3: 1}))).counts[3] == size + 1


@given(st.binary(min_size=1, max_size=80))
def test_bytes_that_no_histogram_wrote_are_a_value_error_or_one_that_round_trips(data: bytes) -> None:
    try:
        histogram = Histogram.from_bytes(data)
    except ValueError:
        return
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram


@given(histories, durations)
def test_counting_up_to_a_bound_is_exact_to_the_bucket(history: list[float], bound: float) -> None:
    found = Histogram(history).count_up_to(bound)
    assert found == sum(bucket_of(duration) <= bucket_of(bound) for duration in history)
    surely = sum(duration <= bound for duration in history)
    possibly = sum(duration <= bound * (1 + ceil(3 * RELATIVE_ERROR * 100) / 100) for duration in history)
    assert surely <= found <= possibly


@given(histories)
def test_iterating_gives_rising_bounds_and_every_count(history: list[float]) -> None:
    pairs = list(Histogram(history))
    assert [bound for bound, _ in pairs] == sorted({bound for bound, _ in pairs})
    assert sum(count for _, count in pairs) == len(history)


@given(histories, durations)
def test_below_a_duration_are_those_of_lower_buckets(history: list[float], bound: float) -> None:
    below = Histogram(history).count_below(bound)
    assert below == sum(bucket_of(duration) < bucket_of(bound) for duration in history)
