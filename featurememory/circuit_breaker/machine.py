"""The circuit breaker's state machine: no clock, no lock, no I/O.

Every method that changes something takes `now`, in seconds of one clock (monotonic inside a process, the
server's own between processes). The words are Resilience4j's. Each transition raises the epoch, and a result
counts only in the epoch its call was admitted in: what was admitted before a change neither undoes it nor
gives permits back.
"""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import (
    BreakerStatus,
    Cause,
    ComputedState,
    Kind,
    Overlay,
    Permit,
    Refusal,
    State,
    Transition,
)
from featurememory.circuit_breaker.probes import ProbeRound
from featurememory.circuit_breaker.window import CountWindow
from featurememory.errors import FeatureMemoryError

__all__ = ["BreakerMachine", "BreakerStatus", "Permit", "Refusal", "Transition"]

SNAPSHOT_FORMAT: Final = 1
_MAX_BACKOFF_STEPS: Final = 64


class BreakerMachine:
    """One breaker. Not thread-safe: its owner holds the lock, never over the guarded call.

    Two attributes may be read without the lock. `open_door` is the permit that everybody gets while every
    call may go, else None. `relaxed` is that same permit while a success cannot move the breaker: instead of
    recording it, `next(permit.successes)` is enough.
    """

    __slots__ = (
        "_begun",
        "_caught_up",
        "_config",
        "_consecutive_failures",
        "_epoch",
        "_failed_rounds",
        "_least_rate_product",
        "_may_probe_at",
        "_overlay",
        "_random",
        "_round",
        "_since",
        "_state",
        "_window",
        "open_door",
        "relaxed",
    )

    def __init__(self, config: BreakerConfig, *, random: Callable[[], float] = _random.random) -> None:
        """`random` gives numbers in [0, 1), for the jitter."""
        self._config = config
        self._random = random
        self._state: ComputedState = "closed"
        self._overlay: Overlay | None = None
        self._epoch = 0
        self._since: float | None = None
        self._begun = -inf  # calls that started before this belong to an older epoch
        self._window = CountWindow(config.window_size)
        self._consecutive_failures = 0
        self._failed_rounds = 0
        self._may_probe_at = 0.0
        self._round = ProbeRound()
        self.relaxed: Permit | None = None
        self._least_rate_product = config.failure_rate_threshold * config.minimum_calls
        self._hang_door()

    # Calls

    def admit(self, now: float) -> Permit | Refusal:
        """A permit for one call, whose result is owed to `record`; or a refusal."""
        if self.open_door is not None:
            return self.open_door
        if self._overlay is not None:
            return Refusal(self._overlay, None)
        transitions: tuple[Transition, ...] = ()
        if self._state == "open":
            if now < self._may_probe_at:
                return Refusal("open", self._retry_after_ms(now))
            transitions = (self._probe(now, begun=now),)
        elif settled := self._settle(now):
            transitions = (settled,)
            if self.open_door is not None:
                return Permit(self._epoch, 0, transitions)
        if self._state == "half_open" and self._round.has_room(self._config.half_open_permits):
            expires_at = now + self._config.half_open_timeout_ms / 1_000
            return Permit(self._epoch, self._round.admit(expires_at), transitions)
        return Refusal(self._state, self._retry_after_ms(now), transitions)

    def record(self, permit: Permit, kind: Kind, now: float) -> Transition | None:
        """Takes the result of the call that got `permit`; late ones of an older epoch change nothing."""
        if permit.epoch != self._epoch or self._overlay is not None:
            return None
        if self._state == "closed":
            return None if kind == "ignored" else self._count(kind == "failure", now)
        if self._state != "half_open":
            return None
        settled = self._settle(now)
        if settled is not None or not self._round.give_back(permit.probe) or kind == "ignored":
            return settled
        return self._count_probe(kind == "failure", now)

    def observe(self, kind: Kind, started_at: float, now: float) -> tuple[Transition, ...]:
        """Takes the result of a call that another process admitted, started at `started_at`.

        Started since probes became possible, it was a probe: it takes an open breaker to half_open.
        """
        if kind == "ignored" or self._overlay is not None:
            return ()
        if self._state == "closed":
            if started_at < self._begun:
                return ()
            moved = self._count(kind == "failure", now)
            return () if moved is None else (moved,)
        if self._state == "open":
            if started_at < self._may_probe_at:
                return ()
            moved = self._probe(now, begun=self._may_probe_at)
        else:
            moved = self._settle(now)
            if moved is not None or started_at < self._begun:
                return () if moved is None else (moved,)
        decided = self._count_probe(kind == "failure", now)
        return tuple(each for each in (moved, decided) if each is not None)

    # Operators

    def force_open(self, now: float) -> tuple[Transition, ...]:
        """Admits nothing until release or reset; does nothing where it is so already."""
        return self._lay_over("forced_open", "forced_open", "forced open: nothing is admitted", now)

    def disable(self, now: float) -> tuple[Transition, ...]:
        """Admits everything, computes nothing until release or reset; does nothing where it is so already."""
        return self._lay_over(
            "disabled", "disabled", "disabled: everything is admitted, nothing computed", now
        )

    def release(self, now: float) -> tuple[Transition, ...]:
        """Back to the computed state; does nothing where nothing is laid over it."""
        return self._lay_over(None, "released", f"released: {self._state} again, as computed", now)

    def reset(self, now: float) -> tuple[Transition, ...]:
        """Closed and empty, whatever it was: window, overlay, backoff and every time-out are gone."""
        return (self._close(now, "reset", "reset: closed, with an empty window"),)

    # The fleet

    def follow_open(self, now: float, may_probe_at: float) -> tuple[Transition, ...]:
        """The fleet's breaker opened, so this one does, until `may_probe_at`; one that is open already stays
        so."""
        if self._state == "open":
            return ()
        self._may_probe_at = may_probe_at
        transition = self._enter("open", self._overlay, now, "fleet", "the fleet's breaker opened")
        return (transition,)

    def follow_closed(self, now: float) -> tuple[Transition, ...]:
        """The fleet's breaker closed, so this one does; what an operator laid over it stays."""
        if self._state == "closed":
            return ()
        return (self._close(now, "fleet", "the fleet's breaker closed", self._overlay),)

    # Reading

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def state(self) -> State:
        """The effective state."""
        return self._overlay or self._state

    @property
    def config(self) -> BreakerConfig:
        return self._config

    def status(self, now: float) -> BreakerStatus:
        """How it stands; reading changes nothing."""
        self._catch_up()
        probing = self._state == "half_open"
        counts = self._round if probing else self._window
        calls = self._round.results if probing else self._window.calls
        return BreakerStatus(
            state=self.state,
            computed_state=self._state,
            overlay=self._overlay,
            epoch=self._epoch,
            consecutive_failures=self._round.failures_in_a_row if probing else self._consecutive_failures,
            calls=calls,
            failures=counts.failures,
            failure_rate=100 * counts.failures / calls if calls >= self._calls_needed() else None,
            since=self._since,
            may_probe_at=self._may_probe_at if self._state == "open" else None,
            retry_after_ms=self._retry_after_ms(now),
            permits_in_use=self._round.in_use(now) if probing else 0,
        )

    def snapshot(self) -> dict[str, Any]:
        """All that `restore` needs, as JSON can keep it."""
        self._catch_up()
        return {
            "format": SNAPSHOT_FORMAT,
            "state": self._state,
            "overlay": self._overlay,
            "epoch": self._epoch,
            "since": self._since,
            "begun": None if self._begun == -inf else self._begun,
            "window": self._window.snapshot(),
            "consecutive_failures": self._consecutive_failures,
            "failed_rounds": self._failed_rounds,
            "may_probe_at": self._may_probe_at,
            "round": self._round.snapshot() if self._state == "half_open" else None,
        }

    @classmethod
    def restore(
        cls,
        config: BreakerConfig,
        snapshot: Mapping[str, Any],
        *,
        random: Callable[[], float] = _random.random,
    ) -> BreakerMachine:
        """The machine that gave `snapshot`; with another `config` the window is kept as far as it fits."""
        if snapshot.get("format") != SNAPSHOT_FORMAT:
            raise FeatureMemoryError(
                f"A breaker's snapshot has format {snapshot.get('format')!r}, this version reads "
                f"{SNAPSHOT_FORMAT}: upgrade, or reset the breaker.",
                format=snapshot.get("format"),
            )
        machine = cls(config, random=random)
        machine._state = snapshot["state"]
        machine._overlay = snapshot["overlay"]
        machine._epoch = snapshot["epoch"]
        machine._since = snapshot["since"]
        machine._begun = -inf if snapshot["begun"] is None else snapshot["begun"]
        machine._window = CountWindow(config.window_size, snapshot["window"])
        machine._consecutive_failures = snapshot["consecutive_failures"]
        machine._failed_rounds = snapshot["failed_rounds"]
        machine._may_probe_at = snapshot["may_probe_at"]
        if snapshot["round"] is not None:
            machine._round = ProbeRound.restore(snapshot["round"])
        machine._hang_door()
        return machine

    # Deciding

    def _count(self, failed: bool, now: float) -> Transition | None:
        self._catch_up()
        window, config = self._window, self._config
        window.record(failed)
        if window.calls >= config.minimum_calls:
            self.relaxed = self.open_door
        if not failed:
            self._consecutive_failures = 0
        else:
            self._consecutive_failures += 1
            if self._consecutive_failures >= config.max_failures > 0:
                figures = f"{self._consecutive_failures} failures in a row reached"
                return self._open(now, "max_failures", f"{figures} max_failures = {config.max_failures}")
        return self._judge_rate(now) if 100 * window.failures >= self._least_rate_product else None

    def _catch_up(self) -> None:
        """Records the successes that were only counted. Asking the counter counts as one, which is taken off."""
        if self.relaxed is None:
            return
        counted = next(self.relaxed.successes) - self._caught_up
        self._caught_up += counted + 1
        if counted:
            self._consecutive_failures = 0
            self._window.record_successes(counted)

    def _judge_rate(self, now: float) -> Transition | None:
        calls, failures = self._window.calls, self._window.failures
        threshold = self._config.failure_rate_threshold
        if calls < self._config.minimum_calls or 100 * failures < threshold * calls:
            return None
        figures = (
            f"{failures} of {calls} calls failed, which reached failure_rate_threshold = {threshold:g} %"
        )
        return self._open(now, "failure_rate", figures)

    def _count_probe(self, failed: bool, now: float) -> Transition | None:
        self._round.record(failed)
        return self._judge_probes(now, "probe_failed")

    def _settle(self, now: float) -> Transition | None:
        """In half_open: lets overdue probes expire, and decides where nothing is left to wait for."""
        expired = self._round.expired
        self._round.expire(now)
        return self._judge_probes(now, "probe_expired" if self._round.expired > expired else "probe_failed")

    def _judge_probes(self, now: float, cause: Cause) -> Transition | None:
        probes, permits = self._round, self._config.half_open_permits
        in_a_row = 0 < self._config.max_failures <= probes.failures_in_a_row
        if in_a_row or 100 * probes.failures >= self._config.failure_rate_threshold * permits:
            late = f", {probes.expired} of them not heard of in time" if probes.expired else ""
            self._failed_rounds += 1
            return self._open(now, cause, f"{probes.failures} of {permits} probes failed{late}")
        if probes.results < permits:
            return None
        return self._close(
            now, "probes_succeeded", f"{probes.successes} of {probes.results} probes succeeded"
        )

    # Moving

    def _open(self, now: float, cause: Cause, message: str) -> Transition:
        config = self._config
        backoff = config.backoff_multiplier ** min(self._failed_rounds, _MAX_BACKOFF_STEPS)
        wait_ms = min(config.reset_timeout_ms * backoff, config.max_reset_timeout_ms)
        self._may_probe_at = now + wait_ms * (1 - config.jitter * self._random()) / 1_000
        return self._enter("open", None, now, cause, message)

    def _probe(self, now: float, *, begun: float) -> Transition:
        permits = self._config.half_open_permits
        message = f"the reset time-out is over; probes decide (half_open_permits = {permits})"
        transition = self._enter("half_open", None, now, "reset_timeout", message)
        self._begun = begun
        self._round = ProbeRound()
        return transition

    def _close(self, now: float, cause: Cause, message: str, overlay: Overlay | None = None) -> Transition:
        transition = self._enter("closed", overlay, now, cause, message)
        self._window = CountWindow(self._config.window_size)
        self._consecutive_failures = self._failed_rounds = 0
        self._may_probe_at = 0.0
        return transition

    def _lay_over(
        self, overlay: Overlay | None, cause: Cause, message: str, now: float
    ) -> tuple[Transition, ...]:
        if overlay == self._overlay:
            return ()
        transition = self._enter(self._state, overlay, now, cause, message)
        self._round = ProbeRound()  # probes of an older epoch are not waited for
        return (transition,)

    def _enter(
        self, state: ComputedState, overlay: Overlay | None, now: float, cause: Cause, message: str
    ) -> Transition:
        before, status = self.state, self.status(now)
        self._state, self._overlay = state, overlay
        self._epoch += 1
        self._since = self._begun = now
        self._hang_door()
        counts = {
            "calls": status.calls,
            "failures": status.failures,
            "consecutive_failures": status.consecutive_failures,
        }
        return Transition(
            before, self.state, state, cause, message, self._epoch, now, self._retry_after_ms(now), counts
        )

    def _hang_door(self) -> None:
        everybody = self._overlay == "disabled" or (self._overlay is None and self._state == "closed")
        self.open_door: Permit | None = Permit(self._epoch) if everybody else None
        self.relaxed = None
        self._caught_up = 0

    def _retry_after_ms(self, now: float) -> float | None:
        if self.state != "open":
            return None
        return max(0.0, (self._may_probe_at - now) * 1_000)

    def _calls_needed(self) -> int:
        return 1 if self._state == "half_open" else self._config.minimum_calls
