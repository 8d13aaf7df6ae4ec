"""A circuit breaker that is slow and obviously right: it keeps every result and judges by counting lists."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

from featurememory.circuit_breaker.config import BreakerConfig

HELD = ("forced_open", "disabled")


class Result(NamedTuple):
    kind: str
    slow: bool
    at: float


class SlowBreaker:
    """Permits are (epoch, number); `now` never goes back; there is no jitter."""

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self.epoch = 0
        self.epoch_began = float("-inf")
        self.overlay: str | None = None
        self.overlay_until: float | None = None
        self.tripped: dict[str, float] = {}
        self.fresh()

    def fresh(self) -> None:
        self.state = "closed"
        self.results: list[Result] = []
        self.rounds_lost = 0
        self.opened_at = 0.0

    def overlay_at(self, now: float) -> str | None:
        return None if self.overlay_until is not None and now >= self.overlay_until else self.overlay

    def effective(self, now: float) -> str:
        return self.overlay_at(now) or self.state

    def window(self, now: float) -> list[Result]:
        size = self.config.window_size
        if self.config.window_type == "count":
            return self.results[-size:]
        return [each for each in self.results if floor(each.at) > floor(now) - size]

    def is_slow(self, duration_s: float) -> bool:
        return duration_s * 1_000 >= self.config.slow_call_duration_ms

    @property
    def may_probe_at(self) -> float:
        wait = self.config.reset_timeout_ms * self.config.backoff_multiplier**self.rounds_lost
        return self.opened_at + min(wait, self.config.max_reset_timeout_ms) / 1_000

    def change(self, state: str, now: float) -> None:
        self.state = state
        self.epoch += 1
        self.epoch_began = now
        self.out: dict[int, float] = {}
        self.given = 0
        self.back: list[Result] = []
        self.round_ends = now + self.config.max_half_open_ms / 1_000
        self.tripped = {}

    def open(self, now: float) -> None:
        self.opened_at = now
        self.change("open", now)

    def lose(self, now: float) -> None:
        self.rounds_lost += 1
        self.open(now)

    def admit(self, now: float) -> tuple[int, int] | None:
        self.lapse(now)
        if self.overlay == "disabled":
            return (self.epoch, 0)
        if self.overlay == "forced_open":
            return None
        if self.state == "half_open":
            self.expire(now)
        elif self.state == "open" and now >= self.may_probe_at:
            self.change("half_open", now)
        if self.state == "closed":
            return (self.epoch, 0)
        if self.state == "half_open" and len(self.out) + len(self.back) < self.config.half_open_permits:
            self.given += 1
            self.out[self.given] = now + self.config.half_open_timeout_ms / 1_000
            return (self.epoch, self.given)
        return (self.epoch, 0) if self.overlay == "metrics_only" else None

    def record(self, permit: tuple[int, int], kind: str, now: float, duration_s: float) -> None:
        epoch, number = permit
        if epoch != self.epoch:
            return
        self.lapse(now)
        if epoch != self.epoch or self.overlay in HELD:
            return
        result = Result(kind, self.is_slow(duration_s), now)
        if self.state == "closed":
            if kind != "ignored":
                self.count(result)
        elif self.state == "half_open":
            self.expire(now)
            if epoch == self.epoch and self.out.pop(number, None) is not None and kind != "ignored":
                self.back.append(result)
                self.judge_probes(now)

    def observe(
        self,
        kind: str,
        started_at: float,
        now: float,
        duration_s: float,
        epoch: int | None,
        probe: int,
        may_open: bool = True,
    ) -> None:
        self.lapse(now)
        if self.overlay in HELD or (epoch is not None and epoch < self.epoch):
            return
        before = self.epoch
        if self.state == "half_open":
            self.expire(now)
        if self.epoch != before:
            return
        if epoch == self.epoch:
            started_at = now - duration_s if self.state == "open" else now
        if started_at < (self.may_probe_at if self.state == "open" else self.epoch_began):
            return
        if probe and self.out.pop(probe, None) is None:
            return
        if kind == "ignored":
            return
        result = Result(kind, self.is_slow(duration_s), now)
        if self.state == "closed":
            self.count(result, suffices=may_open and self.config.trip_quorum == 1)
            return
        if self.state == "open":
            possible = min(self.may_probe_at, now)
            self.change("half_open", now)
            self.epoch_began = possible
        self.back.append(result)
        self.judge_probes(now)

    def count(self, result: Result, suffices: bool = True) -> None:
        self.results.append(result)
        window = self.window(result.at)
        enough = len(window) >= self.config.minimum_calls
        failed = 100 * sum(each.kind == "failure" for each in window) / len(window)
        slow = 100 * sum(each.slow for each in window) / len(window)
        if suffices and (
            self.run_reached(self.results)
            or (enough and failed >= self.config.failure_rate_threshold)
            or (enough and slow >= self.config.slow_call_rate_threshold)
        ):
            self.open(result.at)

    def run_reached(self, results: list[Result]) -> bool:
        last = self.config.max_failures
        return last > 0 and len(results) >= last and {each.kind for each in results[-last:]} == {"failure"}

    def expire(self, now: float) -> None:
        for number in [each for each, until in self.out.items() if until <= now]:
            del self.out[number]
            self.back.append(Result("failure", False, now))
        self.judge_probes(now)
        if self.state == "half_open" and now >= self.round_ends:
            self.lose(now)

    def judge_probes(self, now: float) -> None:
        failed = 100 * sum(each.kind == "failure" for each in self.back) / self.config.half_open_permits
        slow = 100 * sum(each.slow for each in self.back) / self.config.half_open_permits
        if (
            self.run_reached(self.back)
            or failed >= self.config.failure_rate_threshold
            or slow >= self.config.slow_call_rate_threshold
        ):
            self.lose(now)
        elif len(self.back) >= self.config.half_open_permits:
            self.change("closed", now)
            self.fresh()

    def trip(self, by: str, now: float, epoch: int | None) -> None:
        self.lapse(now)
        if self.overlay in HELD or self.state == "open" or (epoch is not None and epoch < self.epoch):
            return
        self.tripped[by] = now
        if sum(now - at < 60 for at in self.tripped.values()) >= self.config.trip_quorum:
            self.open(now)

    def settle(self, now: float) -> None:
        self.lapse(now)
        if self.overlay not in HELD and self.state == "half_open":
            self.expire(now)

    def lay(self, overlay: str | None, now: float, until: float | None = None) -> None:
        if (overlay, until) != (self.overlay, self.overlay_until):
            self.overlay, self.overlay_until = overlay, until
            self.change(self.state, now)

    def lapse(self, now: float) -> None:
        if self.overlay is not None and self.overlay_at(now) is None:
            self.lay(None, now)

    def reset(self, now: float) -> None:
        self.overlay = self.overlay_until = None
        self.change("closed", now)
        self.fresh()
