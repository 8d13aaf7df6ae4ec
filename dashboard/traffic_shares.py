"""Which parameter sets operations were given lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from featurememory.models import Recommendation

LATELY = timedelta(hours=1)
MOST = 1_000


@dataclass(frozen=True, slots=True)
class TrafficShares:
    """Recommendations by (study, pattern) and by (arm, pattern): the newest of the last hour, MOST at most."""

    _of_pattern: Counter[tuple[int, int | None]]
    _of_arm: Counter[tuple[int, int | None]]

    def seen(self, study: int, pattern: int) -> int:
        return self._of_pattern[study, pattern]

    def share(self, study: int, pattern: int, arm: int) -> float | None:
        """Of the pattern's recommendations; None where there was none."""
        seen = self.seen(study, pattern)
        return self._of_arm[arm, pattern] / seen if seen else None


def read_traffic_shares(studies: Iterable[int], patterns: Iterable[int], now: datetime) -> TrafficShares:
    """One query."""
    rows = Recommendation.objects.filter(
        study__in=set(studies), pattern__in=set(patterns), at__gte=now - LATELY
    ).order_by("-at")
    found = list(rows.values_list("study", "pattern", "arm")[:MOST])
    return TrafficShares(
        Counter((study, pattern) for study, pattern, _ in found),
        Counter((arm, pattern) for _, pattern, arm in found),
    )
