"""How hard the host is pressed, looked at once a second at most, by whoever calls; without a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from typing import NamedTuple

from featurememory.circuit_breaker.config import HealthThresholds
from featurememory.circuit_breaker.pressure import Pressure, Sample
from featurememory.resource_management.host import memory_use

LOOK_EVERY_S = 1.0
_SPAN_S = 10.0
_LEAST_SPAN_S = 5.0


class CpuTimes(NamedTuple):
    """Ticks since the host started, over all its processors."""

    busy: int
    total: int


def read_cpu_times() -> CpuTimes | None:
    """From /proc (Linux); None elsewhere."""
    with suppress(OSError, ValueError, IndexError), open("/proc/stat", "rb") as file:
        ticks = [int(each) for each in file.readline().split()[1:9]]
        return CpuTimes(sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return None


def read_memory_percent() -> float | None:
    """What cannot be had any more of the host's memory, or of the container's; None where there is no telling."""
    use = memory_use()
    return None if use is None else use.percent


class HostPressure:
    """Judges the host's figures by each set of thresholds that is in use.

    That of the processors is over the last ten seconds, so that a short burst presses nobody; before five are known
    there is none.
    """

    def __init__(
        self,
        cpu_times: Callable[[], CpuTimes | None] = read_cpu_times,
        memory_percent: Callable[[], float | None] = read_memory_percent,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.look_every_s = look_every_s
        self._cpu_times = cpu_times
        self._memory_percent = memory_percent
        self._known: deque[tuple[float, CpuTimes]] = deque()
        self._judges: dict[HealthThresholds, Pressure] = {}
        self._words: dict[HealthThresholds, str] = {}

    look_at = 0.0
    """When to look first."""

    def look(
        self, now: float, in_use: Iterable[HealthThresholds], error_rate: Callable[[], float | None]
    ) -> dict[HealthThresholds, str]:
        """What presses by which thresholds, in words, where that has changed; empty words for relief."""
        wanted = set(in_use)
        times = self._cpu_times() if any(each.cpu is not None for each in wanted) else None
        sample = Sample(
            cpu=None if times is None else self._cpu_percent(times, now),
            memory=self._memory_percent() if any(each.memory is not None for each in wanted) else None,
            error_rate=error_rate() if any(each.error_rate is not None for each in wanted) else None,
        )
        words = {each: self._judge(each).judge(sample) for each in wanted}
        changed = {each: said for each, said in words.items() if said != self.on(each)}
        self._words.update(words)
        return changed

    def on(self, thresholds: HealthThresholds) -> str:
        """What pressed by these thresholds when it was last looked at."""
        return self._words.get(thresholds, "")

    def _judge(self, thresholds: HealthThresholds) -> Pressure:
        return self._judges.setdefault(thresholds, Pressure(thresholds))

    def _cpu_percent(self, times: CpuTimes, now: float) -> float | None:
        known = self._known
        if known and now - known[-1][0] > _SPAN_S:
            known.clear()
        known.append((now, times))
        while now - known[0][0] > _SPAN_S:
            known.popleft()
        since, first = known[0]
        passed = times.total - first.total
        if now - since < _LEAST_SPAN_S or passed <= 0:
            return None
        return 100 * (times.busy - first.busy) / passed


class _NoPressure(HostPressure):
    """Nobody looks."""

    look_at = inf


NO_PRESSURE = _NoPressure(lambda: None, lambda: None)
