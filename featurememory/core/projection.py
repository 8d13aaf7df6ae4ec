"""A plane on which the patterns of a space are drawn: found once, so that a map never turns under its reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from featurememory.core.features import Matrix, Vector
from featurememory.core.spaces import vector_from_bytes, vector_to_bytes

_SHORTEST = 1e-4
"""Length below which a direction is rounding error."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Two directions of a space's unit vectors, at right angles to each other."""

    axes: Matrix
    """Shape (2, dimension); each row at length 1, in a space of one dimension the second is zero."""

    def places(self, units: Matrix) -> Matrix:
        """Where unit vectors, one a row, lie: shape (rows, 2), each coordinate from -1 to 1. What lies far apart here
        is at least as far apart in the space; what lies close may not be."""
        places: Matrix = units @ self.axes.T
        return places

    def to_bytes(self) -> bytes:
        return vector_to_bytes(self.axes.reshape(-1))

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        return cls(vector_from_bytes(kept).reshape(2, -1))


def principal_plane(units: Matrix) -> Plane:
    """The plane on which `units`, one a row, spread most: their first two principal axes (Pearson, 1901). Where they
    spread less than that takes, coordinate axes stand in."""
    spread = units - units.mean(axis=0)
    _, weights = np.linalg.eigh((spread @ spread.T).astype(np.float64))
    principal = weights[:, :-3:-1].T.astype(np.float32) @ spread
    axes: list[Vector] = []
    for direction in (*principal, *np.eye(3, units.shape[1], dtype=np.float32)):
        axis = _across(direction, axes)
        if axis is not None and len(axes) < 2:
            axes.append(axis)
    missing = [np.zeros(units.shape[1], np.float32)] * (2 - len(axes))
    return Plane(np.stack([*axes, *missing]))


def _across(direction: Vector, axes: list[Vector]) -> Vector | None:
    """What of `direction` is at right angles to `axes`, at length 1, its largest number positive; None where nothing
    is."""
    for other in axes:
        direction = direction - (direction @ other) * other
    length = np.linalg.norm(direction)
    if length < _SHORTEST:
        return None
    towards = np.sign(direction[np.abs(direction).argmax()])
    axis: Vector = (direction * (towards / length)).astype(np.float32)
    return axis
