"""What similar patterns teach: a kernel-weighted prior for the effects of a pattern's arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp
from typing import Final, NamedTuple

from featurememory.optimization.posterior import Normal

HALF_TRUST: Final = 0.5
"""So much neighbourly weight halves the way from knowing nothing to the neighbours' mean."""
MOST_EXPLAINED: Final = 0.8
"""Neighbours never take more of the variance of an effect than this share."""
SMALLEST_WEIGHT: Final = 0.005

Neighbourhood = tuple[tuple[int, float], ...]
"""(pattern, weight) of the similar ones."""


class Residual(NamedTuple):
    """What an arm's outcomes in a pattern differ by from level and common effect, and how reliably (0 to 1)."""

    value: float
    reliability: float


Residuals = Mapping[int, Mapping[int, Residual]]
"""By pattern and arm."""


def weight(cosine: float, threshold: float) -> float:
    """Of a neighbour at `cosine` in a space that recognises from `threshold` on."""
    return exp(-(1 - cosine) / (4 * max(1 - threshold, 1e-3)))


def neighbourhood(similar: Iterable[tuple[int, float]], threshold: float) -> Neighbourhood:
    """From (pattern, cosine) of the nearest other patterns."""
    weighed = ((pattern, weight(cosine, threshold)) for pattern, cosine in similar)
    return tuple(each for each in weighed if each[1] >= SMALLEST_WEIGHT)


Told = Mapping[int, tuple[float, float]]
"""By arm: the neighbours' mean residual, shrunk to zero, and the share rho of trust in it."""


def told(near: Neighbourhood, residuals: Residuals) -> Told:
    """What the neighbours' residuals say of a pattern's arms."""
    weights: dict[int, float] = {}
    sums: dict[int, float] = {}
    for pattern, closeness in near:
        for arm, (value, reliability) in residuals.get(pattern, {}).items():
            trust = closeness * reliability
            weights[arm] = weights.get(arm, 0.0) + trust
            sums[arm] = sums.get(arm, 0.0) + trust * value
    return {
        arm: (sums[arm] / (total + HALF_TRUST), total / (total + HALF_TRUST))
        for arm, total in weights.items()
    }


def usefulness(told_of: Mapping[int, Told], residuals: Residuals) -> float:
    """omega in [0, 1]: the slope of residuals on what neighbours tell; similarity that teaches nothing gives 0."""
    products = squares = 0.0
    for pattern, own in residuals.items():
        expected = told_of.get(pattern, {})
        for arm, (value, reliability) in own.items():
            if arm in expected:
                mean, rho = expected[arm]
                products += reliability * rho * value * mean
                squares += reliability * rho * mean * mean
    return min(max(products / squares, 0.0), 1.0) if squares else 0.0


def effect_priors(variances: Iterable[float], expected: Told, omega: float) -> list[Normal]:
    """Of the deviations gamma of each arm, whose variances without neighbours are given."""
    priors = [Normal(0.0, variance) for variance in variances]
    if omega:
        for arm, (mean, rho) in expected.items():
            priors[arm] = Normal(omega * mean, priors[arm].variance * (1 - MOST_EXPLAINED * omega * rho))
    return priors
