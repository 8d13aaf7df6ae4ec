"""How many calls ended how and how long they took; and what such figures are summed up from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import add
from typing import Any

from featurememory.observability.histogram import HistogramSum

_QUANTILES = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
Counts = tuple[int, ...]
"""Calls by outcome: success, error, timeout, cancelled, rejected."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How many calls ended how, and how long they took (milliseconds; None when none ran)."""

    success: int = 0
    error: int = 0
    timeout: int = 0
    cancelled: int = 0
    rejected: int = 0
    p10: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    longest: float | None = None

    @property
    def calls(self) -> int:
        return self.success + self.error + self.timeout + self.cancelled + self.rejected

    @property
    def failed(self) -> int:
        return self.error + self.timeout

    @property
    def failed_share(self) -> float | None:
        """Errors and time-outs among the calls that ran to an end; None when none did.

        Cancelled calls say nothing about the callee and rejected ones never ran.
        """
        judged = self.success + self.failed
        return self.failed / judged if judged else None


@dataclass(slots=True)
class RunningSum:
    """What rollups add up to."""

    counts: Counts = (0, 0, 0, 0, 0)
    longest: float = 0.0
    histogram: HistogramSum = field(default_factory=HistogramSum)

    def add(self, counts: Counts, longest: float, histogram: HistogramSum) -> None:
        self.counts = tuple(map(add, self.counts, counts))
        self.longest = max(self.longest, longest)
        self.histogram.add(histogram)

    def figures(self) -> Figures:
        counted = Figures(*self.counts)
        if quantiles := self.histogram.quantiles(*_QUANTILES.values()):
            reached: dict[str, Any] = dict(zip(_QUANTILES, quantiles, strict=True))
            return replace(counted, longest=self.longest, **reached)
        return counted
