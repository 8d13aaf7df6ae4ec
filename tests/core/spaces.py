"""Vectors and spaces for tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from featurememory.core.features import Matrix
from featurememory.core.spaces import Space, calibrate

DIMENSION = 8

numbers = st.floats(-1e6, 1e6, width=32)


def matrices(dimension: int = DIMENSION, most: int = 30) -> st.SearchStrategy[Matrix]:
    """A warm-up of any kind: constant dimensions, duplicates and a single vector among them."""
    return st.integers(1, most).flatmap(
        lambda rows: arrays.arrays(np.float32, (rows, dimension), elements=numbers)
    )


def scattered(kinds: int, of_each: int, seed: int = 0, dimension: int = DIMENSION) -> Matrix:
    """`of_each` vectors of each of `kinds` that lie well apart; one kind after the other."""
    chance = np.random.default_rng(seed)
    centres = np.repeat(chance.normal(size=(kinds, dimension)), of_each, axis=0)
    return (centres + 0.05 * chance.normal(size=centres.shape)).astype(np.float32)


def space(seed: int = 0, dimension: int = DIMENSION) -> Space:
    return calibrate(scattered(20, 10, seed, dimension))
