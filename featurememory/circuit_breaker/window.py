"""The results on which a closed breaker judges: how many calls, how many of them failed."""

from __future__ import annotations

from collections import deque
from itertools import islice, repeat

_SUCCESS, _FAILURE = "SF"


class CountWindow:
    """The last `size` results; recording costs the same at any size."""

    __slots__ = ("_results", "_size", "calls", "failures")

    def __init__(self, size: int, results: str = "") -> None:
        """`results` is a snapshot of a window of any size; the newest that fit are kept."""
        self._size = size
        self._results: deque[bool] = deque((each == _FAILURE for each in results), maxlen=size)
        self.calls = len(self._results)
        self.failures = sum(self._results)

    def record(self, failed: bool) -> None:
        results = self._results
        if self.calls < self._size:
            self.calls += 1
        elif results[0]:
            self.failures -= 1
        results.append(failed)
        if failed:
            self.failures += 1

    def record_successes(self, count: int) -> None:
        """As `record(False)`, `count` times."""
        results = self._results
        count = min(count, self._size)
        leaving = max(self.calls + count - self._size, 0)
        self.failures -= sum(islice(results, leaving))
        self.calls += count - leaving
        results.extend(repeat(False, count))

    def snapshot(self) -> str:
        """One letter a result, oldest first."""
        return "".join(_FAILURE if failed else _SUCCESS for failed in self._results)
