"""The plane of a space's map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from featurememory.core.features import Matrix
from featurememory.core.projection import Plane, principal_plane
from featurememory.core.spaces import calibrate
from tests.core.spaces import matrices, scattered


@given(matrices())
def test_the_axes_are_at_right_angles_and_of_length_one_whatever_the_vectors(vectors: Matrix) -> None:
    plane = principal_plane(calibrate(vectors).normalise_all(vectors))

    assert plane.axes @ plane.axes.T == pytest.approx(np.eye(2), abs=1e-4)


def test_the_plane_is_the_one_on_which_the_vectors_spread_most() -> None:
    chance = np.random.default_rng(1)
    spread = np.array([0.01, 3, 0.01, 0.5, 0.01], np.float32)
    vectors = (chance.normal(size=(200, 5)) * spread).astype(np.float32)

    first, second = principal_plane(vectors).axes

    assert np.abs(first).argmax() == 1
    assert np.abs(second).argmax() == 3


def test_the_same_vectors_give_the_same_plane() -> None:
    vectors = scattered(5, 4)

    assert principal_plane(vectors).to_bytes() == principal_plane(vectors.copy()).to_bytes()


@given(matrices())
def test_no_two_vectors_lie_farther_apart_on_the_map_than_in_the_space(vectors: Matrix) -> None:
    units = calibrate(vectors).normalise_all(vectors)
    places = principal_plane(units).places(units)

    apart = np.linalg.norm(units[0] - units, axis=1)
    assert (np.linalg.norm(places[0] - places, axis=1) <= apart + 1e-4).all()


def test_a_space_of_one_dimension_lies_on_a_line() -> None:
    places = principal_plane(np.array([[1.0], [-1.0]], np.float32)).places(
        np.array([[1.0], [-1.0]], np.float32)
    )

    assert places == pytest.approx(np.array([[1.0, 0.0], [-1.0, 0.0]]))


def test_a_plane_survives_being_kept() -> None:
    plane = principal_plane(scattered(5, 4))

    assert np.array_equal(Plane.from_bytes(plane.to_bytes()).axes, plane.axes)
