"""Rollups that grow old go: hours hold the sums of their minutes, and days of their hours, from the start.

What changes is marked anew (RollupMark), so that no process goes on believing what it remembers of that time.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from featurememory.models import Rollup, RollupMark
from featurememory.observability.rollups import BLOCK, DAY, HOUR, MINUTE, mark_anew, mark_of_day


def forget_minutes(before: datetime, limit: int) -> int:
    """Removes up to `limit` of the oldest minutes that lie before a moment; how many went."""
    return _forget(MINUTE, before, limit)


def forget_hours(before: datetime, limit: int) -> int:
    """The same of hours."""
    return _forget(HOUR, before, limit)


def forget_days(before: datetime, limit: int) -> int:
    """Removes up to `limit` of the oldest days that lie before a moment, and the marks of the time of which nothing is
    left."""
    with transaction.atomic():
        gone = _forget(DAY, before, limit)
        if gone:
            begin = int(_begin(before).timestamp())
            RollupMark.objects.filter(block__gte=0, block__lt=begin // BLOCK).delete()
            RollupMark.objects.filter(block__lt=0, block__gt=mark_of_day(begin // DAY)).delete()
    return gone


def _forget(resolution: int, before: datetime, limit: int) -> int:
    with transaction.atomic():
        rows = Rollup.objects.filter(resolution=resolution, start__lt=before).order_by("start", "series_id")
        oldest = list(rows.values_list("pk", "start")[:limit])
        Rollup.objects.filter(pk__in=[pk for pk, _ in oldest]).delete()
        mark_anew({int(start.timestamp()) // BLOCK for _, start in oldest})
    return len(oldest)


def _begin(otherwise: datetime) -> datetime:
    """Of all that is counted by now."""
    firsts = (
        Rollup.objects.filter(resolution=resolution).order_by("start").values_list("start", flat=True).first()
        for resolution in (MINUTE, HOUR, DAY)
    )
    return min((first for first in firsts if first is not None), default=otherwise)
