"""Whether a host is under pressure: samples against a breaker's health thresholds, with hysteresis."""

from __future__ import annotations

from typing import NamedTuple

from featurememory.circuit_breaker.config import HealthThresholds

RELIEF = 5.0
"""A threshold that was passed counts until its figure is this many points below it."""


class Sample(NamedTuple):
    """Figures in per cent; None where there is no telling."""

    cpu: float | None = None
    memory: float | None = None
    error_rate: float | None = None


class Pressure:
    """One set of thresholds and what was last seen of them."""

    __slots__ = ("_passed", "_thresholds")

    def __init__(self, thresholds: HealthThresholds) -> None:
        self._thresholds = thresholds
        self._passed: frozenset[str] = frozenset()

    def judge(self, sample: Sample) -> str:
        """What is beyond its threshold, in words; empty without pressure."""
        found = [
            (name, value, threshold)
            for name, value, threshold in zip(Sample._fields, sample, self._thresholds, strict=True)
            if value is not None
            and threshold is not None
            and value >= threshold - RELIEF * (name in self._passed)
        ]
        self._passed = frozenset(name for name, _, _ in found)
        return " and ".join(
            f"{name} at {value:.0f} % (health_thresholds.{name} = {threshold:g} %)"
            for name, value, threshold in found
        )
