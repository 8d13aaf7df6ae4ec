"""How much the recommendations gain over the baseline, told so that it may be looked at any time.

Each operation contributes psi = y - [q0 + 1{baseline} (y - q0) / p0]: its reward less an unbiased estimate of what the
baseline would have had, q0 being the baseline's posterior mean and p0 its propensity, both fixed before the outcome
(Robins, Rotnitzky & Zhao 1994). The interval is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
Kennedy & Ramdas (2021, "Time-uniform central limit theory and asymptotic confidence sequences", Theorem 2.2).
"""

from __future__ import annotations

from math import inf, log, sqrt
from typing import Final, NamedTuple

from featurememory.optimization.posterior import ArmStatistics, Normal

ALPHA: Final = 0.05
TUNED_AT: Final = 500
"""Operations at which the sequence is tightest."""
ENOUGH: Final = 100
"""Fewer operations are not judged."""
ENOUGH_BASELINE: Final = 10
PATTERN_WIDTH: Final = 2.1
"""A pattern's posterior sd times this covers what the model leaves out: that its variances are estimates, too, and
that visits of one pattern differ."""
CLAIM_AT: Final = 2.9 * 1.75
"""Posterior standard deviations above zero from which on an optimization is called effective."""
CHECK_TOLERANCE: Final = 4.0


class Interval(NamedTuple):
    low: float
    high: float


class Effect(NamedTuple):
    """`sequence` holds at all times at once, `interval` at one looked at once; `check` must stay near 1."""

    operations: int
    lift: float
    interval: Interval
    sequence: Interval
    check: float
    verdict: str


class Effectiveness:
    """The stream of psi, and the check that propensities are what they are said to be."""

    __slots__ = ("_check", "_on_baseline", "_psi")

    def __init__(self, snapshot: tuple[list[float], list[float], int] | None = None) -> None:
        psi, check, on_baseline = snapshot or ([0, 0.0, 0.0], [0, 0.0, 0.0], 0)
        self._psi = ArmStatistics(int(psi[0]), psi[1], psi[2])
        self._check = ArmStatistics(int(check[0]), check[1], check[2])
        self._on_baseline = on_baseline

    def record(self, reward: float, on_baseline: bool, expected: float, propensity: float) -> None:
        """`expected` is the baseline's posterior mean before this reward, `propensity` the baseline's, in (0, 1]."""
        if not 0 < propensity <= 1:
            raise ValueError(f"the baseline's propensity lies in (0, 1], not {propensity}")
        correction = (reward - expected) / propensity if on_baseline else 0.0
        self._psi.record(reward - expected - correction)
        self._check.record(on_baseline / propensity)
        self._on_baseline += on_baseline

    def merge(self, other: Effectiveness) -> None:
        """Adds what `other` saw."""
        self._psi.merge(other._psi)
        self._check.merge(other._check)
        self._on_baseline += other._on_baseline

    def effect(self) -> Effect:
        n, lift = self._psi.n, self._psi.mean
        sd = sqrt(self._psi.m2 / (n - 1)) if n > 1 else inf
        half = 1.96 * sd / sqrt(n) if n > 1 else inf
        wide = sd * sequence_half_width(n) if n > 1 else inf
        sequence = Interval(lift - wide, lift + wide)
        return Effect(
            n, lift, Interval(lift - half, lift + half), sequence, self._check.mean, self._verdict(sequence)
        )

    def propensities_hold(self) -> bool:
        """Whether mean(1{baseline} / p0) lies as near 1 as chance lets it."""
        n = self._check.n
        return (
            n < ENOUGH
            or abs(self._check.mean - 1) <= CHECK_TOLERANCE * sqrt(self._check.m2 / (n - 1) / n) + 1e-9
        )

    def snapshot(self) -> tuple[list[float], list[float], int]:
        return list(self._psi.snapshot()), list(self._check.snapshot()), self._on_baseline

    def _verdict(self, sequence: Interval) -> str:
        if self._psi.n < ENOUGH or self._on_baseline < ENOUGH_BASELINE:
            return "not enough evidence yet"
        if not self.propensities_hold():
            return "propensities do not hold"
        if sequence.low > 0:
            return "effective"
        return "harmful" if sequence.high < 0 else "not enough evidence yet"


def sequence_half_width(n: int, alpha: float = ALPHA, tuned_at: int = TUNED_AT) -> float:
    """Of the asymptotic confidence sequence for a mean of `n` values with sd 1."""
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned_at
    return sqrt((n * rho2 + 1) / (n * n * rho2) * log((n * rho2 + 1) / (alpha * alpha)))


class PatternLift(NamedTuple):
    """An optimization's shrunk gain over the baseline in one pattern."""

    lift: float
    interval: Interval
    effective: bool


def pattern_lift(lift: Normal) -> PatternLift:
    sd = sqrt(lift.variance)
    half = 1.96 * PATTERN_WIDTH * sd
    return PatternLift(lift.mean, Interval(lift.mean - half, lift.mean + half), lift.mean > CLAIM_AT * sd)
