"""A feature space and its calibration: how its vectors are made comparable, and from which similarity on two of
them are the same pattern.

A fixed threshold on raw cosines is wrong almost everywhere; so each space learns its own from its first vectors.
Each number becomes its normal score among those (van der Waerden, 1952): what counts is how unusual it is, whatever
its unit and however skewed its distribution.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from featurememory.core.features import STORED, Matrix, Vector

WARM_UP = 200
"""How many vectors calibrate a space."""
SCORES = np.linspace(-2.6, 2.6, 27, dtype=np.float32)
"""The normal scores at which a dimension's distribution is kept; what lies outside counts as its end."""
NEAREST_QUANTILE = 0.30
HIGHEST_THRESHOLD = 0.98
_SMALLEST_GAP = 0.02
_SHARES = [NormalDist().cdf(score) for score in SCORES.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """A calibration, frozen with its version: similarities of one version are comparable with each other only."""

    knots: Matrix
    """Shape (len(SCORES), dimension), rising: the value of each dimension at each normal score."""
    tau: float
    """The cosine from which on two normalised vectors are the same pattern."""
    typical: float
    """The median cosine of all pairs in the warm-up."""
    nearest: float
    """The median cosine of the warm-up's vectors with their nearest neighbours."""
    version: int = 1

    @property
    def dimension(self) -> int:
        return int(self.knots.shape[1])

    @property
    def typical_norm(self) -> float:
        """The length, as a root mean square, of vectors that are distributed as the warm-up's were."""
        shares = np.exp(-(SCORES.astype(np.float64) ** 2) / 2)
        return float(np.sqrt((shares / shares.sum()) @ np.square(self.knots, dtype=np.float64).sum(axis=1)))

    def normalise(self, vector: Vector) -> Vector:
        """The unit vector, shape (dimension,), by which `vector` is compared."""
        unit: Vector = self.normalise_all(vector[np.newaxis])[0]
        return unit

    def normalise_all(self, vectors: Matrix) -> Matrix:
        """As `normalise`, for each row."""
        return _units(_scores(vectors, self.knots))

    def scaled(self, difference: float) -> float:
        """A difference of cosines in units of what separates nearest neighbours from any two vectors."""
        return difference / max(self.nearest - self.typical, _SMALLEST_GAP)

    def to_mapping(self) -> dict[str, Any]:
        """As JSON keeps it; `from_mapping` gives the same calibration back, to the last bit."""
        return {
            "version": self.version,
            "knots": _text(self.knots),
            "tau": self.tau,
            "typical": self.typical,
            "nearest": self.nearest,
        }

    @classmethod
    def from_mapping(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            _vector(kept["knots"]).reshape(len(SCORES), -1),
            kept["tau"],
            kept["typical"],
            kept["nearest"],
            kept["version"],
        )


def calibrate(vectors: Matrix, version: int = 1) -> Space:
    """The space that its first vectors (`WARM_UP` are enough, one will do) describe."""
    knots = np.quantile(vectors, _SHARES, axis=0).astype(np.float32)
    nearest, typical = _similarities(_units(_scores(vectors, knots)))
    tau = min(float(np.quantile(nearest, NEAREST_QUANTILE)), HIGHEST_THRESHOLD)
    return Space(knots, tau, typical, float(np.median(nearest)), version)


def vector_to_bytes(vector: Vector) -> bytes:
    """float32, little endian, one after the other."""
    return vector.astype(STORED, copy=False).tobytes()


def vector_from_bytes(data: bytes) -> Vector:
    """What `vector_to_bytes` was given, bit for bit; ValueError when `data` is cut off."""
    return np.frombuffer(data, STORED).astype(np.float32)


def _scores(vectors: Matrix, knots: Matrix) -> Matrix:
    """Where each number lies between the knots of its dimension; on several of one value, in their middle."""
    return np.stack([_score(vector, knots) for vector in vectors])


def _score(vector: Vector, knots: Matrix) -> Vector:
    below, up_to = _count(knots < vector), _count(knots <= vector)
    low = np.clip(below - 1, 0, len(knots) - 2)
    dimensions = np.arange(len(vector))
    left, right = knots[low, dimensions].astype(np.float64), knots[low + 1, dimensions].astype(np.float64)
    gap = np.where(right > left, right - left, 1.0)
    between = low + np.clip((vector - left) / gap, 0.0, 1.0)
    at_end = np.where(below == len(knots), len(knots) - 1.0, between)
    position = np.where(up_to > below, (below + up_to - 1) / 2, at_end)
    step = SCORES[1] - SCORES[0]
    score: Vector = (SCORES[0] + step * position).astype(np.float32)
    return score


def _count(marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The marks in each column; bytes are added up nearly three times as fast as numpy sums booleans."""
    counts: NDArray[np.intp] = np.add.reduce(marked.view(np.uint8), axis=0, dtype=np.uint8).astype(np.intp)
    return counts


def _units(vectors: Matrix) -> Matrix:
    """Each row at length 1; what is the median throughout has no direction and gets the diagonal's."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    diagonal = np.float32(1 / np.sqrt(vectors.shape[1]))
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), diagonal).astype(np.float32)


def _similarities(units: Matrix) -> tuple[Vector, float]:
    """The cosine of each row with its nearest other, and the median of all pairs; a single row is its own."""
    if len(units) < 2:
        return np.ones(1, np.float32), 0.0
    cosines = units @ units.T
    typical = float(np.median(cosines[np.triu_indices(len(units), 1)]))
    np.fill_diagonal(cosines, -1)
    return cosines.max(axis=1), typical


def _text(vector: Vector) -> str:
    return b64encode(vector_to_bytes(vector)).decode("ascii")


def _vector(text: str) -> Vector:
    return vector_from_bytes(b64decode(text, validate=True))
