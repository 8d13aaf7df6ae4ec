"""How long something took lately, in one process. Plain."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

LATELY_S = 60.0
"""What is older says nothing about now."""
MOST_KEPT = 1_000


class Quantiles(NamedTuple):
    """Milliseconds; None without any in the last minute."""

    number: int
    p50_ms: float | None
    p99_ms: float | None


class LatencyRecord:
    """The newest thousand, of which those of the last minute count; for any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._taken: deque[tuple[float, float]] = deque(maxlen=MOST_KEPT)

    def note(self, took_ms: float) -> None:
        self._taken.append((self._clock(), took_ms))

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Notes how long the block takes, unless it raises."""
        began = time.perf_counter()
        yield
        self.note((time.perf_counter() - began) * 1_000)

    def lately(self) -> Quantiles:
        recent = self._clock() - LATELY_S
        times = sorted(took_ms for at, took_ms in tuple(self._taken) if at >= recent)
        if not times:
            return Quantiles(0, None, None)
        return Quantiles(len(times), times[len(times) // 2], times[len(times) * 99 // 100])

    def forget(self) -> None:
        self._taken.clear()


RECOGNITION = LatencyRecord()
"""Of this process: from features to the pattern that they are like."""
