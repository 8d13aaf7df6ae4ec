"""A space makes any vectors comparable, whatever its first ones were, and survives being stored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from featurememory.core.features import Matrix, Vector
from featurememory.core.spaces import (
    HIGHEST_THRESHOLD,
    Space,
    calibrate,
    vector_from_bytes,
    vector_to_bytes,
)
from tests.core.spaces import DIMENSION, matrices, numbers, scattered, space

vectors = arrays.arrays(np.float32, DIMENSION, elements=numbers)


@given(matrices(), vectors)
def test_normalised_vectors_have_length_one_whatever_the_warm_up(warm_up: Matrix, vector: Vector) -> None:
    calibrated = calibrate(warm_up)
    for each in (vector, *warm_up[:3]):
        unit = calibrated.normalise(each)
        assert unit.dtype == np.float32
        assert abs(float(np.linalg.norm(unit)) - 1) < 1e-5


@given(matrices())
def test_thresholds_are_cosines_and_in_order(warm_up: Matrix) -> None:
    calibrated = calibrate(warm_up)
    assert -1.0001 <= calibrated.tau <= HIGHEST_THRESHOLD
    assert -1.0001 <= calibrated.typical <= calibrated.nearest + 1e-6 <= 1.0001


@given(matrices(), st.integers(-20, 20), st.integers(0, DIMENSION - 1))
def test_the_unit_of_a_dimension_does_not_matter(warm_up: Matrix, power: int, dimension: int) -> None:
    assume(
        np.all((warm_up == 0) | (np.abs(warm_up) > 1e-20))
    )  # smaller ones lose digits when they are scaled
    factor = np.ones(DIMENSION, np.float32)
    factor[dimension] = 2.0**power
    one, other = calibrate(warm_up), calibrate(warm_up * factor)
    assert np.allclose(one.normalise_all(warm_up), other.normalise_all(warm_up * factor), atol=1e-3)


def test_a_dimension_that_never_moved_says_nothing_until_it_does() -> None:
    warm_up = scattered(20, 10)
    warm_up[:, 3] = 5
    calibrated = calibrate(warm_up)
    same, moved = warm_up[0].copy(), warm_up[0].copy()
    moved[3] = 6
    assert abs(calibrated.normalise(same)[3]) < 1e-5
    assert calibrated.normalise(moved)[3] > 0


def test_vectors_that_are_all_the_same_make_a_space_that_knows_them() -> None:
    calibrated = calibrate(np.full((50, 4), 3, np.float32))
    same, other = calibrated.normalise_all(np.array([[3, 3, 3, 3], [3, -3, 3, 3]], np.float32))
    assert float(same @ same) >= calibrated.tau
    assert float(same @ other) < calibrated.tau


def test_an_outlier_counts_no_more_than_the_rarest_seen() -> None:
    calibrated = space()
    far, farther = np.zeros(DIMENSION, np.float32), np.zeros(DIMENSION, np.float32)
    far[0], farther[0] = 1e3, 3e38
    assert calibrated.normalise(far).tobytes() == calibrated.normalise(farther).tobytes()


def test_skewed_numbers_are_spread_evenly() -> None:
    """Sizes over six decades: a mean and a deviation would see the largest alone."""
    chance = np.random.default_rng(1)
    sizes = 10 ** chance.uniform(0, 6, (200, 4)).astype(np.float32)
    logarithms = np.log10(sizes)
    as_sizes, as_logarithms = calibrate(sizes), calibrate(logarithms)
    cosines = (as_sizes.normalise_all(sizes) * as_logarithms.normalise_all(logarithms)).sum(axis=1)
    assert float(np.quantile(cosines, 0.05)) > 0.97


def test_one_vector_is_enough_of_a_warm_up() -> None:
    first = np.arange(1, 5, dtype=np.float32)
    calibrated = calibrate(first[np.newaxis])
    assert float(calibrated.normalise(first) @ calibrated.normalise(first)) >= calibrated.tau


@given(matrices(), st.integers(1, 9), vectors)
def test_a_space_survives_json_to_the_last_bit(warm_up: Matrix, version: int, vector: Vector) -> None:
    before = calibrate(warm_up, version)
    after = Space.from_mapping(json.loads(json.dumps(before.to_mapping())))
    assert after.knots.tobytes() == before.knots.tobytes()
    assert (after.tau, after.typical, after.nearest, after.version, after.dimension) == (
        before.tau, before.typical, before.nearest, version, DIMENSION,
    )  # fmt: skip
    assert after.normalise(vector).tobytes() == before.normalise(vector).tobytes()


@given(arrays.arrays(np.uint32, st.integers(0, 40)).map(lambda bits: bits.view(np.float32)))
def test_vectors_survive_as_bytes_of_little_endian_float32(vector: Vector) -> None:
    data = vector_to_bytes(vector)
    assert data == vector.astype("<f4").tobytes()
    assert vector_to_bytes(vector_from_bytes(data)) == data


def test_bytes_that_were_cut_off_are_an_error() -> None:
    with pytest.raises(ValueError, match="buffer size"):
        vector_from_bytes(b"\0" * 7)
