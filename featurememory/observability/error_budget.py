"""How much of what may fail has failed: the error budget of the last 30 days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from featurememory.models import AlertRule
from featurememory.observability.figures import Figures
from featurememory.observability.rollups import DAY
from featurememory.observability.span import Span
from featurememory.observability.traffic import read_steps

DAYS = 30
DEFAULT_OBJECTIVE = 0.99


@dataclass(frozen=True, slots=True)
class Budget:
    """`objective`: the share of calls that must succeed. `left` has, at the end of each day, what of the budget is
    left, in shares of it; below zero it is overdrawn. The budget is what the calls of all days so far allow."""

    span: Span
    objective: float
    left: tuple[float | None, ...]
    judged: int
    failed: int
    burning: float | None
    """How many times faster than allowed the last hour used it up; None without calls."""

    @property
    def allowed(self) -> float:
        """Failures."""
        return self.judged * (1 - self.objective)


def budget_of(span: Span, days: Sequence[Figures], lately: Sequence[Figures], objective: float) -> Budget:
    """Plain: from the figures of each day, and of the minutes of the last hour."""
    judged = list(accumulate(day.success + day.failed for day in days))
    failed = list(accumulate(day.failed for day in days))
    whole = judged[-1] * (1 - objective) if judged else 0.0
    left = tuple(1 - bad / whole if whole and ran else None for bad, ran in zip(failed, judged, strict=True))
    ran_lately = sum(minute.success + minute.failed for minute in lately)
    failed_lately = sum(minute.failed for minute in lately)
    burning = failed_lately / ran_lately / (1 - objective) if ran_lately else None
    return Budget(span, objective, left, judged[-1] if judged else 0, failed[-1] if failed else 0, burning)


def read_budget(now: datetime, series: Sequence[int] | None = None) -> Budget:
    """Of all series or of some; five queries at most."""
    end = Span.covering(now, now + timedelta(seconds=1), DAY).end
    days = Span(end - timedelta(days=DAYS), end, DAY)
    hour = Span.covering(now - timedelta(hours=1), now, 60)
    return budget_of(
        days,
        read_steps(days, series),
        read_steps(hour, series),
        _objective(AlertRule.objects.filter(kind=AlertRule.Kind.BURN_RATE).order_by("pk")),
    )


def _objective(rules: Iterable[AlertRule]) -> float:
    """Of the first rule about the error budget: what people are alerted by."""
    for rule in rules:
        return float(rule.condition.get("objective", DEFAULT_OBJECTIVE))
    return DEFAULT_OBJECTIVE
