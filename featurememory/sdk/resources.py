"""Whether this process may begin operations, by the memory that it and its host use: looked at once a second at most,
by whoever calls; without a thread."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from featurememory.errors import ResourceConstraintError
from featurememory.resource_management.constraints import ResourceConstraints, ResourceUsage
from featurememory.resource_management.host import MemoryUse, memory_use, process_memory_mb
from featurememory.resource_management.readings import Admission, refused

LOOK_EVERY_S = 1.0


class HostResources:
    """`max_memory_mb` is of this process; 0 for no limit."""

    look_at = 0.0
    """When to look next."""
    is_short = False
    """Whether operations are refused."""

    def __init__(
        self,
        max_memory_mb: float = 0,
        max_host_memory_percent: float = 95,
        *,
        memory: Callable[[], MemoryUse | None] = memory_use,
        process_mb: Callable[[], float | None] = process_memory_mb,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._limits = ResourceConstraints(
            max_memory_mb=max_memory_mb or inf, max_host_memory_percent=max_host_memory_percent
        )
        self._memory = memory
        self._process_mb = process_mb
        self._look_every_s = look_every_s
        self._admission = Admission()

    def look(self, now: float) -> None:
        """Takes a fifth of a millisecond."""
        self.look_at = now + self._look_every_s
        use = self._memory()
        usage = ResourceUsage(
            memory_mb=self._process_mb() if self._limits.max_memory_mb < inf else None,
            host_memory_percent=None if use is None else use.percent,
        )
        self.is_short = self._admission.judge(usage, self._limits) is not None

    def error(self) -> ResourceConstraintError | None:
        """What operations are refused with."""
        reading = self._admission.refusal
        return None if reading is None else refused(reading)


class _Unlimited(HostResources):
    look_at = inf


UNLIMITED = _Unlimited()
"""Nobody looks."""
