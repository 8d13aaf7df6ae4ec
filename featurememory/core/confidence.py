"""How sure a match is: of those given 0.8, eight in ten are right.

A logistic model of a few signs, with weights that hold across kinds of data; once enough matches of a space have
been confirmed or denied, by operators or by outcomes, it is fitted to them and stays near where it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from featurememory.core.spaces import Space

Signs = NDArray[np.float64]
"""[1, u, margin, ln(1 + n), u**2, v]: u is the similarity in the space's own units, margin in the same units what
lies between the best and the next, n the vectors the pattern has seen, and v the logarithm of its distance in those
of nearest neighbours: where all are close to each other, only that still tells them apart."""

SHIPPED = (-15.1, 21.3, -1.86, 0.115, -5.80, 0.0)
"""v weighs nothing until confirmations say so: its weight differs too much from one kind of data to another."""
ENOUGH_CONFIRMATIONS = 50
CONFIRMATIONS_KEPT = 1_000
"""The newest; with more, nothing is learned that they do not say."""
_RIDGE = 0.05


@dataclass(frozen=True, slots=True)
class Confidence:
    """Logistic weights, in the order of the signs."""

    weights: tuple[float, ...] = SHIPPED

    def of(self, signs: Signs) -> float:
        return float(_logistic(signs @ np.array(self.weights)))


def signs_of(space: Space, similarity: float, margin: float, count: int) -> Signs:
    u = min(max(space.scaled(similarity - space.typical), -2.0), 2.0)
    v = log(max(1 - similarity, 1e-4) / max(1 - space.nearest, 1e-3))
    return np.array([1.0, u, min(space.scaled(margin), 2.0), log1p(count), u * u, min(max(v, -3.0), 3.0)])


def fitted(signs: NDArray[np.float64], correct: NDArray[np.bool_]) -> Confidence:
    """Ridge logistic regression on confirmations, shape (confirmations, 6), pulled towards the shipped weights; these
    themselves while there are fewer than `ENOUGH_CONFIRMATIONS`.

    Newton's method, its step halved while that would lead uphill: where confirmations all agree the whole step
    leads away for ever.
    """
    weights = anchor = np.array(SHIPPED)
    if len(correct) < ENOUGH_CONFIRMATIONS:
        return Confidence()
    for _ in range(_STEPS):
        p = _logistic(signs @ weights)
        gradient = signs.T @ (p - correct) + _RIDGE * (weights - anchor)
        curvature = (signs * (p * (1 - p))[:, np.newaxis]).T @ signs + _RIDGE * np.eye(len(anchor))
        step = np.linalg.solve(curvature, gradient)
        before = _loss(weights, anchor, signs, correct)
        while _loss(weights - step, anchor, signs, correct) > before and np.abs(step).max() > _SMALL:
            step /= 2
        weights = weights - step
        if np.abs(step).max() <= _SMALL:
            break
    return Confidence(tuple(weights.tolist()))


_STEPS = 50
_SMALL = 1e-6


def _loss(
    weights: NDArray[np.float64],
    anchor: NDArray[np.float64],
    signs: NDArray[np.float64],
    correct: NDArray[np.bool_],
) -> float:
    z = signs @ weights
    likelihood = np.logaddexp(0, z).sum() - z[correct].sum()
    return float(likelihood + _RIDGE / 2 * np.square(weights - anchor).sum())


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))
