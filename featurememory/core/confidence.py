"""How sure a match is: of those given 0.8, eight in ten are right.

A logistic model of a few signs, with weights that hold across kinds of data; once enough matches of a space have
been confirmed or denied, by operators or by outcomes, it is fitted to them and stays near where it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from featurememory.core.spaces import Space

Signs = NDArray[np.float64]
"""[1, u, margin, ln(1 + n), u**2]: u is the similarity in the space's own units, margin in the same units what lies
between the best and the next, n the vectors the pattern has seen."""

SHIPPED = (-15.1, 21.3, -1.86, 0.115, -5.80)
ENOUGH_CONFIRMATIONS = 50
_RIDGE = 0.5


def signs_of(space: Space, similarity: float, margin: float, count: int) -> Signs:
    u = float(np.clip(space.scaled(similarity - space.typical), -2.0, 2.0))
    return np.array([1.0, u, min(space.scaled(margin), 2.0), log1p(count), u * u])


@dataclass(frozen=True, slots=True)
class Confidence:
    """Logistic weights, in the order of the signs."""

    weights: tuple[float, ...] = SHIPPED

    def of(self, signs: Signs) -> float:
        return float(_logistic(signs @ np.array(self.weights)))


def fitted(signs: NDArray[np.float64], correct: NDArray[np.bool_]) -> Confidence:
    """Ridge logistic regression, shape (confirmations, 5), pulled towards the shipped weights; these themselves
    while there are fewer than `ENOUGH_CONFIRMATIONS`. Newton's method."""
    anchor = np.array(SHIPPED)
    if len(correct) < ENOUGH_CONFIRMATIONS:
        return Confidence()
    weights = anchor.copy()
    for _ in range(30):
        p = _logistic(signs @ weights)
        gradient = signs.T @ (p - correct) + _RIDGE * (weights - anchor)
        curvature = (signs * (p * (1 - p))[:, np.newaxis]).T @ signs + _RIDGE * np.eye(len(anchor))
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return Confidence(tuple(weights.tolist()))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))
