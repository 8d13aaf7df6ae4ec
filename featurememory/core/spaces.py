"""A feature space and its calibration: how its vectors are made comparable, and from which similarity on two of
them are the same pattern.

A fixed threshold on raw cosines is wrong almost everywhere; so each space learns its own from its first vectors.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from featurememory.core.features import STORED, Matrix, Vector

WARM_UP = 200
"""How many vectors calibrate a space."""
CLIP = 4.0
"""Standard deviations beyond which a number is an outlier and counts no further."""
NEAREST_QUANTILE = 0.35
HIGHEST_THRESHOLD = 0.98
_SMALLEST_GAP = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """A calibration, frozen with its version: similarities of one version are comparable with each other only."""

    mean: Vector
    sd: Vector
    """Positive everywhere."""
    tau: float
    """The cosine from which on two normalised vectors are the same pattern."""
    typical: float
    """The median cosine of all pairs in the warm-up."""
    nearest: float
    """The median cosine of the warm-up's vectors with their nearest neighbours."""
    version: int = 1

    @property
    def dimension(self) -> int:
        return len(self.mean)

    def normalise(self, vector: Vector) -> Vector:
        """The unit vector, shape (dimension,), by which `vector` is compared."""
        return self.normalise_all(vector[np.newaxis])[0]

    def normalise_all(self, vectors: Matrix) -> Matrix:
        """As `normalise`, for each row."""
        return _units(_standardised(vectors, self.mean, self.sd))

    def scaled(self, difference: float) -> float:
        """A difference of cosines in units of what separates nearest neighbours from any two vectors."""
        return difference / max(self.nearest - self.typical, _SMALLEST_GAP)

    def to_mapping(self) -> dict[str, Any]:
        """As JSON keeps it; `from_mapping` gives the same calibration back, to the last bit."""
        return {
            "version": self.version,
            "mean": _text(self.mean),
            "sd": _text(self.sd),
            "tau": self.tau,
            "typical": self.typical,
            "nearest": self.nearest,
        }

    @classmethod
    def from_mapping(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            _vector(kept["mean"]),
            _vector(kept["sd"]),
            kept["tau"],
            kept["typical"],
            kept["nearest"],
            kept["version"],
        )


def calibrate(vectors: Matrix, version: int = 1) -> Space:
    """The space that its first vectors (`WARM_UP` are enough, one will do) describe."""
    mean, sd = _moments(vectors)
    units = _units(_standardised(vectors, mean, sd))
    nearest, typical = _similarities(units)
    tau = min(float(np.quantile(nearest, NEAREST_QUANTILE)), HIGHEST_THRESHOLD)
    return Space(mean, sd, tau, typical, float(np.median(nearest)), version)


def vector_to_bytes(vector: Vector) -> bytes:
    """float32, little endian, one after the other."""
    return vector.astype(STORED, copy=False).tobytes()


def vector_from_bytes(data: bytes) -> Vector:
    """What `vector_to_bytes` was given, bit for bit; ValueError when `data` is cut off."""
    return np.frombuffer(data, STORED).astype(np.float32)


def _moments(vectors: Matrix) -> tuple[Vector, Vector]:
    """Mean and standard deviation of each dimension; one that never moved is measured by the others' scale."""
    exact = vectors.astype(np.float64)
    mean, sd = exact.mean(axis=0), exact.std(axis=0)
    still = sd <= np.maximum(np.abs(mean), 1e-30) * 1e-6
    sd[still] = 1.0 if still.all() else np.median(sd[~still])
    return mean.astype(np.float32), sd.astype(np.float32)


def _standardised(vectors: Matrix, mean: Vector, sd: Vector) -> Matrix:
    with np.errstate(over="ignore"):
        z: Matrix = np.clip((vectors - mean) / sd, -CLIP, CLIP)
        return z


def _units(vectors: Matrix) -> Matrix:
    """Each row at length 1; what lies exactly on the mean has no direction and gets the diagonal's."""
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
