"""When a delivery that was not taken is tried again. Plain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

FIRST, LONGEST = timedelta(seconds=10), timedelta(minutes=15)
GIVEN_UP_AFTER: Final = timedelta(hours=24)


def next_attempt(
    attempts: int, created_at: datetime, now: datetime, draw: float, retry_after_s: float | None = None
) -> datetime | None:
    """Exponential, with jitter from `draw` in [0, 1), and no sooner than the receiver asks; None: given up."""
    doubled: timedelta = FIRST * 2 ** min(max(attempts - 1, 0), 10)
    wait = max(min(doubled, LONGEST) * (0.75 + draw / 4), FIRST * 0.75)
    if retry_after_s is not None:
        wait = max(wait, timedelta(seconds=retry_after_s))
    at = now + wait
    return None if at > created_at + GIVEN_UP_AFTER else at
