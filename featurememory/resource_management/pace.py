"""How much of a large work is done at a time, so that others wait for a few milliseconds at most."""

from __future__ import annotations

from typing import Final

BATCH_S: Final = 0.003
"""What one batch may take: whoever wants to write meanwhile waits that long at most, now and then twice."""
PAUSES: Final = 6
"""How much longer than a batch the field is left to others."""
LEAST, MOST = 10, 5_000
_GROWTH: Final = 1.5


class Pace:
    """Finds the size of batches that take as long as they may, and says how long to leave the field to others."""

    __slots__ = ("_batch_s", "_least", "size")

    def __init__(self, batch_s: float = BATCH_S, size: int = 100, least: int = LEAST) -> None:
        self._batch_s = batch_s
        self._least = least
        self.size = size

    def after(self, took_s: float) -> float:
        """Takes in how long a batch of `size` took; seconds to pause before the next."""
        fitting = self.size * (self._batch_s / took_s if took_s > 0 else _GROWTH)
        self.size = max(self._least, min(MOST, int(min(self.size * _GROWTH, max(fitting, self.size / 4)))))
        return took_s * PAUSES
