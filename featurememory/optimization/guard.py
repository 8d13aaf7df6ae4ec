"""Watching for changes: two CUSUMs for each pair of pattern and arm, two for each arm over all its patterns.

Page (1954), "Continuous inspection schemes". Residuals are standardised by their predictive sd and clipped; an alarm
leaves only the outcomes since the sum last stood at zero, which is the likeliest moment of the change.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, Self

from featurememory.optimization.posterior import ArmStatistics

CLIP: Final = 3.0
DRIFT: Final = 0.5
PAIR_THRESHOLD: Final = 10.0
ARM_THRESHOLD: Final = 12.0
ARM_PATTERNS: Final = 3
"""So many patterns must have taken part before an arm as a whole is said to have changed."""
FIRST_QUARANTINE: Final = 25
_MAX_DOUBLINGS: Final = 20
FOR_GOOD: Final = 2**62
"""An end that no count of visits reaches: an operator's word."""

Direction = Literal["down", "up"]


class Cusum:
    """One-sided sums of standardised residuals, one for each direction."""

    __slots__ = ("down", "up")

    def __init__(self, down: float = 0.0, up: float = 0.0) -> None:
        self.down, self.up = down, up

    def record(self, residual: float) -> None:
        step = min(max(residual, -CLIP), CLIP)
        self.down = max(0.0, self.down - step - DRIFT)
        self.up = max(0.0, self.up + step - DRIFT)

    def beyond(self, threshold: float) -> Direction | None:
        if self.down > threshold:
            return "down"
        return "up" if self.up > threshold else None


class PairGuard:
    """A pair's sums, and what came since each of them last stood at zero."""

    __slots__ = ("cusum", "since_down", "since_up")

    def __init__(self) -> None:
        self.cusum = Cusum()
        self.since_down, self.since_up = ArmStatistics(), ArmStatistics()

    def record(self, outcome: float, residual: float) -> Direction | None:
        """The direction in which the pair has changed, if it is certain now."""
        self.cusum.record(residual)
        _keep_since(self.since_down, self.cusum.down, outcome)
        _keep_since(self.since_up, self.cusum.up, outcome)
        return self.cusum.beyond(PAIR_THRESHOLD)

    def since(self, direction: Direction) -> ArmStatistics:
        return self.since_down if direction == "down" else self.since_up

    def snapshot(self) -> list[float]:
        return [self.cusum.down, self.cusum.up, *self.since_down.snapshot(), *self.since_up.snapshot()]

    @classmethod
    def restored(cls, snapshot: list[float]) -> Self:
        guard = cls()
        down, up, down_n, down_mean, down_m2, up_n, up_mean, up_m2 = snapshot
        guard.cusum = Cusum(down, up)
        guard.since_down = ArmStatistics(int(down_n), down_mean, down_m2)
        guard.since_up = ArmStatistics(int(up_n), up_mean, up_m2)
        return guard


class ArmGuard:
    """An arm's sums over all its patterns, and what came in each pattern since they last stood at zero."""

    __slots__ = ("cusum", "since_down", "since_up")

    def __init__(self) -> None:
        self.cusum = Cusum()
        self.since_down: dict[int, ArmStatistics] = {}
        self.since_up: dict[int, ArmStatistics] = {}

    def record(self, pattern: int, outcome: float, residual: float) -> Direction | None:
        self.cusum.record(residual)
        for total, since in ((self.cusum.down, self.since_down), (self.cusum.up, self.since_up)):
            if total:
                since.setdefault(pattern, ArmStatistics()).record(outcome)
            else:
                since.clear()
        direction = self.cusum.beyond(ARM_THRESHOLD)
        return direction if direction and len(self.since(direction)) >= ARM_PATTERNS else None

    def since(self, direction: Direction) -> dict[int, ArmStatistics]:
        return self.since_down if direction == "down" else self.since_up

    def forget(self, pattern: int) -> None:
        self.since_down.pop(pattern, None)
        self.since_up.pop(pattern, None)

    def snapshot(self) -> list[Any]:
        kept = [
            {str(pattern): each.snapshot() for pattern, each in since.items()}
            for since in (self.since_down, self.since_up)
        ]
        return [self.cusum.down, self.cusum.up, *kept]

    @classmethod
    def restored(cls, snapshot: list[Any]) -> Self:
        guard = cls()
        down, up, since_down, since_up = snapshot
        guard.cusum = Cusum(down, up)
        guard.since_down = {int(pattern): ArmStatistics(*each) for pattern, each in since_down.items()}
        guard.since_up = {int(pattern): ArmStatistics(*each) for pattern, each in since_up.items()}
        return guard


def _keep_since(since: ArmStatistics, total: float, outcome: float) -> None:
    if total:
        since.record(outcome)
    elif since.n:
        since.n, since.mean, since.m2 = 0, 0.0, 0.0


class Quarantine(NamedTuple):
    """How often something has been shut out, and until which visit of its own kind."""

    times: int = 0
    until: int = 0

    def again(self, visits: int) -> Quarantine:
        """25 * 2^k visits from now, k the times before."""
        return Quarantine(self.times + 1, visits + FIRST_QUARANTINE * 2 ** min(self.times, _MAX_DOUBLINGS))

    def holds(self, visits: int) -> bool:
        return visits < self.until
