"""The results on which a closed breaker judges: how many calls, how many of them failed, how many were slow."""

from __future__ import annotations

from collections import deque
from itertools import islice, repeat
from math import floor
from typing import Any, NamedTuple, Protocol

from featurememory.circuit_breaker.config import BreakerConfig

_FAILED, _SLOW = 1, 2
_LETTERS = "SFLX"
"""Success, failure, slow success, slow failure: a result's letter stands at its number."""


class Totals(NamedTuple):
    """Counts of the calls in a window."""

    calls: int
    failures: int
    slow: int


class Window(Protocol):
    """`now` is in seconds; reading changes nothing."""

    def record(self, failed: bool, slow: bool, now: float) -> None: ...

    def totals(self, now: float) -> Totals: ...

    def snapshot(self) -> Any:
        """What `make_window` restores it from, as JSON can keep it."""


class CountWindow:
    """The last `size` results; recording costs the same at any size."""

    __slots__ = ("_calls", "_failures", "_results", "_size", "_slow")

    def __init__(self, size: int, results: str = "") -> None:
        """`results` is a snapshot of a window of any size; the newest that fit are kept."""
        self._size = size
        self._results: deque[int] = deque(map(_LETTERS.index, results), maxlen=size)
        self._calls = len(self._results)
        self._failures = sum(each & _FAILED for each in self._results)
        self._slow = sum(each >> 1 for each in self._results)

    def record(self, failed: bool, slow: bool, now: float) -> None:
        results = self._results
        if self._calls < self._size:
            self._calls += 1
        elif results[0]:
            self._let_go(results[0])
        results.append(failed + 2 * slow)
        self._failures += failed
        self._slow += slow

    def record_successes(self, count: int) -> None:
        """As `record(False, False, now)`, `count` times."""
        results = self._results
        count = min(count, self._size)
        leaving = max(self._calls + count - self._size, 0)
        for each in islice(results, leaving):
            self._let_go(each)
        self._calls += count - leaving
        results.extend(repeat(0, count))

    def totals(self, now: float) -> Totals:
        return Totals(self._calls, self._failures, self._slow)

    def snapshot(self) -> str:
        """One letter a result, oldest first."""
        return "".join(_LETTERS[each] for each in self._results)

    def _let_go(self, result: int) -> None:
        self._failures -= result & _FAILED
        self._slow -= result >> 1


class TimeWindow:
    """The results of the last `seconds`, in buckets of one second; the present, unfinished one is the last.

    A clock that steps back counts into the newest bucket, so that nothing is lost.
    """

    __slots__ = ("_buckets", "_seconds", "_totals")

    def __init__(self, seconds: int, buckets: list[list[int]] | None = None) -> None:
        self._seconds = seconds
        self._buckets: deque[list[int]] = deque(list(each) for each in buckets or ())
        """[second, calls, failures, slow], in order of time."""
        self._totals = [sum(each[index] for each in self._buckets) for index in (1, 2, 3)]

    def record(self, failed: bool, slow: bool, now: float) -> None:
        buckets, totals, second = self._buckets, self._totals, floor(now)
        if not buckets or buckets[-1][0] < second:
            buckets.append([second, 0, 0, 0])
            while buckets[0][0] <= second - self._seconds:
                for index, count in enumerate(buckets.popleft()[1:]):
                    totals[index] -= count
        for index, count in enumerate((1, failed, slow)):
            buckets[-1][index + 1] += count
            totals[index] += count

    def totals(self, now: float) -> Totals:
        calls, failures, slow = self._totals
        oldest = floor(now) - self._seconds
        for bucket in self._buckets:
            if bucket[0] > oldest:
                break
            calls, failures, slow = calls - bucket[1], failures - bucket[2], slow - bucket[3]
        return Totals(calls, failures, slow)

    def snapshot(self) -> list[list[int]]:
        return [list(each) for each in self._buckets]


def make_window(config: BreakerConfig, snapshot: Any = None) -> CountWindow | TimeWindow:
    """An empty window, or what `snapshot` held as far as it fits; of the other type nothing does."""
    if config.window_type == "count":
        return CountWindow(config.window_size, snapshot if isinstance(snapshot, str) else "")
    return TimeWindow(config.window_size, snapshot if isinstance(snapshot, list) else None)
