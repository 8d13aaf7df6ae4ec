"""Patterns move, merge and are weighed as values."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.core.features import Vector
from featurememory.core.patterns import VISITS_FADE_OVER, Pattern, merged, near_duplicates
from tests.core.test_index import units, vectors

patterns = st.builds(
    Pattern, id=st.integers(1, 9), centroid=vectors, count=st.integers(1, 1_000), spread=st.floats(0, 2),
    visits=st.floats(0, 1e4), seen_at=st.floats(0, 1e6), pinned=st.booleans(),
)  # fmt: skip


@given(patterns, vectors, st.floats(0, 1e6))
def test_moving_keeps_length_one_and_leaves_the_old_value_alone(
    pattern: Pattern, unit: Vector, now: float
) -> None:
    before = pattern.centroid.tobytes()
    moved = pattern.moved(unit, now)
    assert abs(float(np.linalg.norm(moved.centroid)) - 1) < 1e-5
    assert moved.count == pattern.count + 1
    assert float(moved.centroid @ unit) >= float(pattern.centroid @ unit) - 1e-5
    assert moved.seen_at >= pattern.seen_at
    assert 0 <= moved.spread <= 2.0001
    assert pattern.centroid.tobytes() == before


def test_few_vectors_are_averaged_and_many_followed() -> None:
    north, east = np.eye(2, dtype=np.float32)
    assert Pattern(1, north).moved(east, 1).centroid.tolist() == pytest.approx([0.5**0.5, 0.5**0.5])
    old = Pattern(1, north, count=100_000)
    assert old.moved(east, 1).centroid[1] == pytest.approx(0.02 / (0.98**2 + 0.02**2) ** 0.5, rel=1e-4)


def test_opposites_cancel_out_without_losing_the_direction() -> None:
    north = np.array([1, 0], np.float32)
    assert Pattern(1, north).moved(-north, 1).centroid.tolist() == [1, 0]


def test_a_pattern_seen_twice_is_still_provisional() -> None:
    north = np.array([1, 0], np.float32)
    twice = Pattern(1, north).moved(north, 1)
    assert twice.provisional
    assert not twice.moved(north, 2).provisional


@given(patterns, patterns)
def test_merging_keeps_what_both_have_seen(kept: Pattern, gone: Pattern) -> None:
    whole = merged(kept, gone)
    now = max(kept.seen_at, gone.seen_at)
    assert (whole.id, whole.count) == (kept.id, kept.count + gone.count)
    assert whole.visits_at(now) == pytest.approx(kept.visits_at(now) + gone.visits_at(now))
    assert whole.pinned == (kept.pinned or gone.pinned)
    assert abs(float(np.linalg.norm(whole.centroid)) - 1) < 1e-5
    assert whole.spread >= 0


@given(patterns.filter(lambda each: not each.pinned), st.floats(0, 1e5), st.floats(0, 10))
def test_usefulness_fades_and_grows_with_what_is_gained(pattern: Pattern, later: float, gain: float) -> None:
    now = pattern.seen_at + later
    worth = pattern.usefulness(now, gain, 1.0)
    assert worth == pytest.approx(pattern.visits * exp(-later / VISITS_FADE_OVER) * (gain + 0.05), rel=1e-6)
    assert worth <= pattern.usefulness(pattern.seen_at, gain + 1, 1.0)
    assert replace(pattern, pinned=True).usefulness(now, gain, 1.0) == inf


def test_a_loss_makes_a_pattern_no_more_useless_than_no_gain() -> None:
    pattern = Pattern(1, np.ones(1, np.float32))
    assert pattern.usefulness(0, -3.0, 1.0) == pattern.usefulness(0, 0.0, 1.0)


@given(st.integers(0, 30), st.integers(0, 99), st.floats(-0.5, 1))
def test_near_duplicates_are_all_pairs_above_the_threshold(count: int, seed: int, threshold: float) -> None:
    centroids = units(count, seed)
    expected = {
        (low, high)
        for high in range(count)
        for low in range(high)
        if float(centroids[low] @ centroids[high]) >= threshold
    }
    found = near_duplicates(centroids, threshold)
    close_calls = {pair[:2] for pair in found} ^ expected
    assert all(abs(float(centroids[low] @ centroids[high]) - threshold) < 1e-6 for low, high in close_calls)
    similarities = [similarity for *_, similarity in found]
    assert similarities == sorted(similarities, reverse=True)


def test_near_duplicates_are_found_across_blocks() -> None:
    centroids = units(1_500, 4, 64)
    centroids[1_400] = centroids[3]
    centroids[1_450] = centroids[1_100]
    assert {pair[:2] for pair in near_duplicates(centroids, 0.99)} == {(3, 1_400), (1_100, 1_450)}
