"""Jobs that are on no schedule, and whose work a test gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from featurememory.scheduling.runs import Scheduled

EVERY = timedelta(seconds=5)
HOURLY = timedelta(hours=1)


def scheduled(work: Callable[[], None] = lambda: None, *, every: timedelta = EVERY) -> Scheduled:
    return Scheduled("count_sheep", every, "Counts sheep.", work)


def never_again(wait: timedelta) -> None:
    raise AssertionError(f"nothing is to be tried again, not even after {wait}")
