"""Whether an alert flaps: how much its condition changed over the last looks, recent changes counting for more.

Nagios' flap detection (Nagios Core documentation, "Detection and Handling of State Flapping"): of 21 looks there are
20 possible changes, weighted from 0.8 for the oldest to 1.2 for the newest; above the high threshold it flaps, and
only below the low one it is steady again. Plain.
"""

from __future__ import annotations

from typing import Final

LOOKS: Final = 21
HIGH, LOW = 0.5, 0.25
_OLDEST, _NEWEST = 0.8, 1.2


def remember(looks: str, is_active: bool) -> str:
    """The last LOOKS looks with one more, oldest first; before the first one it was as it is."""
    look = "01"[is_active]
    return ((looks or look * LOOKS) + look)[-LOOKS:]


def change_rate(looks: str) -> float:
    """In [0, 1]; looks that are not there yet have not changed."""
    if len(looks) < 2:
        return 0.0
    gaps = LOOKS - 1
    step = (_NEWEST - _OLDEST) / (gaps - 1)
    first = gaps - (len(looks) - 1)
    changed = sum(
        _OLDEST + step * (first + place)
        for place in range(len(looks) - 1)
        if looks[place] != looks[place + 1]
    )
    return changed / gaps


def flaps(looks: str, before: bool) -> bool:
    """Between the thresholds it is as it was."""
    rate = change_rate(looks)
    return rate > HIGH or (before and rate >= LOW)
