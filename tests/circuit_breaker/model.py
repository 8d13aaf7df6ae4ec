"""A circuit breaker that is slow and obviously right: it keeps every result and judges by counting lists."""

from __future__ import annotations

from featurememory.circuit_breaker.config import BreakerConfig


class SlowBreaker:
    """Permits are (epoch, number); `now` never goes back; there is no jitter."""

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self.epoch = 0
        self.epoch_began = float("-inf")
        self.overlay: str | None = None
        self.fresh()

    def fresh(self) -> None:
        self.state = "closed"
        self.results: list[str] = []
        self.rounds_lost = 0
        self.opened_at = 0.0

    @property
    def effective(self) -> str:
        return self.overlay or self.state

    @property
    def window(self) -> list[str]:
        return self.results[-self.config.window_size :]

    @property
    def may_probe_at(self) -> float:
        wait = self.config.reset_timeout_ms * self.config.backoff_multiplier**self.rounds_lost
        return self.opened_at + min(wait, self.config.max_reset_timeout_ms) / 1_000

    def change(self, state: str, now: float, overlay: str | None = None) -> None:
        self.state, self.overlay = state, overlay
        self.epoch += 1
        self.epoch_began = now
        self.out: dict[int, float] = {}
        self.given = 0
        self.back: list[str] = []

    def open(self, now: float) -> None:
        self.opened_at = now
        self.change("open", now)

    def admit(self, now: float) -> tuple[int, int] | None:
        if self.overlay is not None:
            return (self.epoch, 0) if self.overlay == "disabled" else None
        self.expire(now)
        if self.state == "open" and now >= self.may_probe_at:
            self.change("half_open", now)
        if self.state == "closed":
            return (self.epoch, 0)
        if self.state == "half_open" and len(self.out) + len(self.back) < self.config.half_open_permits:
            self.given += 1
            self.out[self.given] = now + self.config.half_open_timeout_ms / 1_000
            return (self.epoch, self.given)
        return None

    def record(self, permit: tuple[int, int], kind: str, now: float) -> None:
        epoch, number = permit
        if epoch != self.epoch or self.overlay is not None:
            return
        if self.state == "closed":
            if kind != "ignored":
                self.count(kind, now)
            return
        self.expire(now)
        if epoch == self.epoch and self.out.pop(number, None) is not None and kind != "ignored":
            self.back.append(kind)
            self.judge_probes(now)

    def observe(self, kind: str, started_at: float, now: float) -> None:
        if kind == "ignored" or self.overlay is not None:
            return
        if self.state == "open":
            possible = self.may_probe_at
            if started_at >= possible:
                self.change("half_open", now)
                self.epoch_began = possible
                self.back.append(kind)
                self.judge_probes(now)
        elif self.state == "half_open":
            epoch = self.epoch
            self.expire(now)
            if epoch == self.epoch and started_at >= self.epoch_began:
                self.back.append(kind)
                self.judge_probes(now)
        elif started_at >= self.epoch_began:
            self.count(kind, now)

    def count(self, kind: str, now: float) -> None:
        self.results.append(kind)
        rate = 100 * self.window.count("failure") / len(self.window)
        if self.run_reached(self.results) or (
            len(self.window) >= self.config.minimum_calls and rate >= self.config.failure_rate_threshold
        ):
            self.open(now)

    def run_reached(self, results: list[str]) -> bool:
        last = self.config.max_failures
        return last > 0 and len(results) >= last and set(results[-last:]) == {"failure"}

    def expire(self, now: float) -> None:
        if self.state != "half_open":
            return
        for number in [each for each, until in self.out.items() if until <= now]:
            del self.out[number]
            self.back.append("failure")
        self.judge_probes(now)

    def judge_probes(self, now: float) -> None:
        rate = 100 * self.back.count("failure") / self.config.half_open_permits
        if self.run_reached(self.back) or rate >= self.config.failure_rate_threshold:
            self.rounds_lost += 1
            self.open(now)
        elif len(self.back) >= self.config.half_open_permits:
            self.change("closed", now)
            self.fresh()

    def lay(self, overlay: str | None, now: float) -> None:
        if overlay != self.overlay:
            self.change(self.state, now, overlay)

    def reset(self, now: float) -> None:
        self.change("closed", now)
        self.fresh()
