"""One half-open round: the calls let through to see whether a breaker may close."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any


class ProbeRound:
    """Who was admitted, who is still out, what came back. A probe not heard of in time has failed; a round not
    decided at `ends_at` is lost."""

    __slots__ = (
        "_admitted",
        "_pending",
        "ends_at",
        "expired",
        "failures",
        "failures_in_a_row",
        "slow",
        "successes",
    )

    def __init__(self, ends_at: float = inf) -> None:
        self._admitted = 0
        self._pending: dict[int, float] = {}
        self.ends_at = ends_at
        self.successes = 0
        self.failures = 0
        self.failures_in_a_row = 0
        self.slow = 0
        self.expired = 0

    @property
    def results(self) -> int:
        return self.successes + self.failures

    def has_room(self, permits: int) -> bool:
        return self.results + len(self._pending) < permits

    def admit(self, expires_at: float) -> int:
        """The new probe's number, unique in this round."""
        self._admitted += 1
        self._pending[self._admitted] = expires_at
        return self._admitted

    def give_back(self, probe: int) -> bool:
        """Frees the probe's permit; False when it was not out (any more)."""
        return self._pending.pop(probe, None) is not None

    def record(self, failed: bool, slow: bool = False) -> None:
        self.slow += slow
        if failed:
            self.failures += 1
            self.failures_in_a_row += 1
        else:
            self.successes += 1
            self.failures_in_a_row = 0

    def expire(self, now: float) -> None:
        """Counts the probes as failed whose time is over."""
        overdue = [probe for probe, expires_at in self._pending.items() if expires_at <= now]
        for probe in overdue:
            del self._pending[probe]
            self.expired += 1
            self.record(failed=True)

    def wait_anew(self, seconds: float) -> None:
        """The clock has stepped back: probes and round have as long as they had when it was what it is now."""
        self.ends_at -= seconds
        self._pending = {probe: expires_at - seconds for probe, expires_at in self._pending.items()}

    def in_use(self, now: float) -> int:
        """Permits that are out and not overdue."""
        return sum(expires_at > now for expires_at in self._pending.values())

    def next_end(self) -> float:
        """When a probe expires or the round is over, whichever comes first."""
        return min(self.ends_at, *self._pending.values()) if self._pending else self.ends_at

    def snapshot(self) -> dict[str, Any]:
        return {
            "admitted": self._admitted,
            "pending": [[probe, expires_at] for probe, expires_at in self._pending.items()],
            "ends_at": self.ends_at,
            "successes": self.successes,
            "failures": self.failures,
            "failures_in_a_row": self.failures_in_a_row,
            "slow": self.slow,
            "expired": self.expired,
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> ProbeRound:
        restored = cls(snapshot["ends_at"])
        restored._admitted = snapshot["admitted"]
        restored._pending = dict(snapshot["pending"])
        restored.successes = snapshot["successes"]
        restored.failures = snapshot["failures"]
        restored.failures_in_a_row = snapshot["failures_in_a_row"]
        restored.slow = snapshot["slow"]
        restored.expired = snapshot["expired"]
        return restored
