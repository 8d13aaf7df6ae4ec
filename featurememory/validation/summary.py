"""What validators found over a time, from the tallies: a page costs the same however much was validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Q, Sum

from featurememory.models import ValidationTally

MOST = 50
"""Codes, and sources, that a summary names: those with the most failures."""


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.passed + self.failed

    @property
    def pass_rate(self) -> float | None:
        """None where nothing was validated."""
        return self.passed / self.total if self.total else None


class CodeCount(NamedTuple):
    validator: str
    code: str
    failed: int


class SourceCount(NamedTuple):
    source: str
    counts: Counts


class Summary(NamedTuple):
    """By whole hours."""

    counts: Counts
    by_hour: Mapping[datetime, Counts]
    by_code: Sequence[CodeCount]
    by_source: Sequence[SourceCount]
    """Those with failures."""


_PASSED = Sum("count", filter=Q(code=""), default=0)
_FAILED = Sum("count", filter=~Q(code=""), default=0)


def read_summary(since: datetime, until: datetime) -> Summary:
    """Of the hours that begin within; three queries."""
    rows = ValidationTally.objects.filter(hour__gte=since, hour__lt=until)
    by_hour = {
        hour.astimezone(UTC): Counts(passed, failed)
        for hour, passed, failed in rows.values_list("hour").annotate(p=_PASSED, f=_FAILED).order_by("hour")
    }
    by_code = rows.exclude(code="").values_list("validator", "code").annotate(f=Sum("count"))
    by_source = rows.values_list("source").annotate(p=_PASSED, f=_FAILED).filter(f__gt=0)
    return Summary(
        Counts(sum(each.passed for each in by_hour.values()), sum(each.failed for each in by_hour.values())),
        by_hour,
        [CodeCount(*row) for row in by_code.order_by("-f", "validator", "code")[:MOST]],
        [
            SourceCount(source, Counts(passed, failed))
            for source, passed, failed in by_source.order_by("-f", "source")[:MOST]
        ],
    )
