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
from featurememory.circuit_breaker.thresholds import missed_by_probes, reached_when_closed, round_over
from featurememory.circuit_breaker.window import CountWindow, Totals, make_window
from featurememory.errors import FeatureMemoryError

__all__ = ["BreakerMachine", "BreakerStatus", "Permit", "Refusal", "Transition"]

SNAPSHOT_FORMAT: Final = 2
TRIPS_WITHIN_S: Final = 60.0
"""How long a process's trip counts towards `trip_quorum`."""
_MAX_BACKOFF_STEPS: Final = 64

_Laid = tuple[Overlay | None, float | None]
"""What an operator laid over the computed state, and until when."""

_LAID_OVER: Final[dict[Overlay, str]] = {
    "forced_open": "forced open: nothing is admitted",
    "disabled": "disabled: everything is admitted, nothing computed",
    "metrics_only": "metrics only: everything is admitted, and shown what would have been refused",
}


class BreakerMachine:
    """One breaker. Not thread-safe: its owner holds the lock, never over the guarded call.

    Three attributes may be read without the lock. `open_door` is the permit that everybody gets while every
    call may go, else None. `relaxed` is that same permit while a success that was not slow cannot move the breaker:
    instead of recording it, `next(permit.successes)` is enough. Before `shut_until` every call is refused, with
    nothing to be decided.
    """

    __slots__ = (
        "_begun",
        "_caught_up",
        "_config",
        "_consecutive_failures",
        "_epoch",
        "_everybody",
        "_failed_rounds",
        "_may_probe_at",
        "_overlay",
        "_overlay_until",
        "_pressure",
        "_random",
        "_round",
        "_since",
        "_slow_s",
        "_state",
        "_trips",
        "_window",
        "open_door",
        "relaxed",
        "shut_until",
    )

    def __init__(self, config: BreakerConfig, *, random: Callable[[], float] = _random.random) -> None:
        """`random` gives numbers in [0, 1), for the jitter."""
        self._config = config
        self._random = random
        self._state: ComputedState = "closed"
        self._overlay: Overlay | None = None
        self._overlay_until: float | None = None
        self._pressure = ""
        self._epoch = 0
        self._since: float | None = None
        self._begun = -inf  # calls that started before this belong to an older epoch
        self._window = make_window(config)
        self._slow_s = config.slow_call_duration_ms / 1_000
        self._consecutive_failures = 0
        self._failed_rounds = 0
        self._may_probe_at = 0.0
        self._round = ProbeRound()
        self._trips: dict[str, float] = {}
        self.open_door: Permit | None
        self.relaxed: Permit | None
        self.shut_until: float
        self._hang_door()

    # Calls

    def admit(self, now: float) -> Permit | Refusal:
        """A permit for one call, whose result is owed to `record`; or a refusal."""
        if self.open_door is not None:
            return self.open_door
        transitions = self._lapse(now)
        if self._overlay == "disabled" or (self._overlay == "metrics_only" and self._pressure):
            return Permit(self._epoch, 0, transitions)
        if self._overlay == "forced_open":
            return Refusal("forced_open", None, transitions)
        if self._pressure:
            return Refusal("overloaded", None, transitions, self._pressure)
        answer = self._admit_as_computed(now, transitions)
        if self._overlay == "metrics_only" and isinstance(answer, Refusal):
            return Permit(
                self._epoch, 0, answer.transitions
            )  # belongs to no round, so that it counts for none
        return answer

    def record(
        self, permit: Permit, kind: Kind, now: float, duration_s: float = 0.0
    ) -> tuple[Transition, ...]:
        """Takes the result of the call that got `permit`; late ones of an older epoch change nothing."""
        if permit.epoch != self._epoch:
            return ()
        if lapsed := self._lapse(now):
            return lapsed  # admitted in the epoch that has just ended
        if self._overlay in ("forced_open", "disabled"):
            return ()
        failed, slow = kind == "failure", duration_s >= self._slow_s
        if self._state == "closed":
            return () if kind == "ignored" else _all(self._count(failed, slow, now))
        if self._state != "half_open":
            return ()
        if settled := self._settle(now):
            return (settled,)
        if not self._round.give_back(permit.probe) or kind == "ignored":
            return ()
        return _all(self._count_probe(failed, slow, now))

    def observe(
        self,
        kind: Kind,
        started_at: float,
        now: float,
        duration_s: float = 0.0,
        epoch: int | None = None,
        probe: int = 0,
        *,
        may_open: bool = True,
    ) -> tuple[Transition, ...]:
        """Takes the result of a call that another process admitted. Unless it `may_open` the breaker it counts, and
        leaves it to later ones to decide.

        `epoch` is what that process knew of this breaker when it began, and `probe` the permit it was given, if it
        was; without them `started_at` tells. Begun since probes became possible, it was a probe and takes an open
        breaker to half_open; where the epoch is known, no clock but ours is asked.
        """
        lapsed = self._lapse(now)
        if self._overlay in ("forced_open", "disabled") or (epoch is not None and epoch < self._epoch):
            return lapsed
        settled = self._settle(now) if self._state == "half_open" else None
        if settled is not None:
            return (*lapsed, settled)
        if self._state == "open":
            is_late = (now - duration_s if epoch == self._epoch else started_at) < self._may_probe_at
        else:
            is_late = epoch != self._epoch and started_at < self._begun
        if is_late:
            return lapsed
        if probe and not (self._state == "half_open" and self._round.give_back(probe)):
            return lapsed
        if kind == "ignored":
            return lapsed
        return lapsed + self._take(kind == "failure", duration_s >= self._slow_s, now, may_open=may_open)

    def settle(self, now: float) -> tuple[Transition, ...]:
        """What time alone has decided: an overlay's end, probes that expired, a round that is over."""
        lapsed = self._lapse(now)
        if self._overlay in ("forced_open", "disabled") or self._state != "half_open":
            return lapsed
        return lapsed + _all(self._settle(now))

    def wants_probe(self, now: float) -> bool:
        """Whether the next call admitted would be a probe; asking takes no permit."""
        if self._pressure or self._overlay_at(now) is not None:
            return False
        return self._state == "half_open" or (self._state == "open" and now >= self._may_probe_at)

    def is_ahead_of(self, now: float) -> bool:
        """Whether the clock has stepped back behind the last transition, which the next call admitted sets right."""
        return self._since is not None and now < self._since

    # Operators

    def force_open(self, now: float, until: float | None = None) -> tuple[Transition, ...]:
        """Admits nothing until release, reset or `until`; does nothing where it is so already."""
        return self._lay_over("forced_open", "forced_open", _LAID_OVER["forced_open"], now, until)

    def disable(self, now: float, until: float | None = None) -> tuple[Transition, ...]:
        """Admits everything, computes nothing until release, reset or `until`; does nothing where it is so
        already."""
        return self._lay_over("disabled", "disabled", _LAID_OVER["disabled"], now, until)

    def only_measure(self, now: float, until: float | None = None) -> tuple[Transition, ...]:
        """Admits everything and goes on computing what it would have done, until release, reset or `until`."""
        return self._lay_over("metrics_only", "metrics_only", _LAID_OVER["metrics_only"], now, until)

    def release(self, now: float) -> tuple[Transition, ...]:
        """Back to the computed state; does nothing where nothing is laid over it."""
        return self._lay_over(None, "released", f"released: {self._state} again, as computed", now)

    def reset(self, now: float) -> tuple[Transition, ...]:
        """Closed and empty, whatever it was: window, overlay, backoff and every time-out are gone."""
        return (self._close(now, "reset", "reset: closed, with an empty window", (None, None)),)

    # The host

    def feel(self, pressure: str) -> None:
        """Refuses calls as overloaded while `pressure` says by what; that touches neither window nor epoch."""
        if pressure != self._pressure:
            self._catch_up()
            self._pressure = pressure
            self._open_or_shut_door()

    # The fleet

    def trip(self, by: str, message: str, now: float, epoch: int | None = None) -> tuple[Transition, ...]:
        """The breaker of the process `by` has tripped; opens this one once `trip_quorum` processes have, lately.

        A trip on what was admitted in an older epoch than today's is late and does nothing.
        """
        lapsed = self._lapse(now)
        late = epoch is not None and epoch < self._epoch
        if late or self._state == "open" or self._overlay in ("forced_open", "disabled"):
            return lapsed
        self._trips = {name: at for name, at in self._trips.items() if now - at < TRIPS_WITHIN_S} | {by: now}
        if len(self._trips) < self._config.trip_quorum:
            return lapsed
        others = f" (as {len(self._trips)} processes did)" if len(self._trips) > 1 else ""
        return (*lapsed, self._open(now, "tripped", f"{by} tripped{others}: {message}"[:500]))

    def follow_open(self, now: float, may_probe_at: float) -> tuple[Transition, ...]:
        """The fleet's breaker opened, so this one does, until `may_probe_at`; one that is open already stays
        so."""
        if self._state == "open":
            return ()
        self._may_probe_at = may_probe_at
        transition = self._enter("open", now, "fleet", "the fleet's breaker opened")
        return (transition,)

    def follow_half_open(self, now: float) -> tuple[Transition, ...]:
        """The fleet's breaker probes, so this one may."""
        if self._state == "half_open":
            return ()
        return (self._probe(now, begun=now, cause="fleet", message="the fleet's breaker probes"),)

    def follow_closed(self, now: float, *, anew: bool = False) -> tuple[Transition, ...]:
        """The fleet's breaker closed, so this one does; what an operator laid over it stays. One that is closed already
        stays as it is, unless it is to begin `anew`."""
        if self._state == "closed" and not anew:
            return ()
        return (self._close(now, "fleet", "the fleet's breaker closed"),)

    # Reading

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def config(self) -> BreakerConfig:
        return self._config

    def state(self, now: float) -> State:
        """The effective state."""
        return self._overlay_at(now) or self._state

    def totals(self, now: float) -> Totals:
        """What its window holds; reading changes nothing but what was counted without a lock."""
        self._catch_up()
        return self._window.totals(now)

    def status(self, now: float) -> BreakerStatus:
        """How it stands; reading changes nothing."""
        counts, overlay = self._counts(now), self._overlay_at(now)
        probing = self._state == "half_open"
        known = counts["calls"] >= (1 if probing else self._config.minimum_calls)
        return BreakerStatus(
            state=overlay or self._state,
            computed_state=self._state,
            overlay=overlay,
            overlay_until=self._overlay_until if overlay else None,
            epoch=self._epoch,
            **counts,
            failure_rate=100 * counts["failures"] / counts["calls"] if known else None,
            slow_call_rate=100 * counts["slow_calls"] / counts["calls"] if known else None,
            since=self._since,
            may_probe_at=self._may_probe_at if self._state == "open" else None,
            retry_after_ms=self._retry_after_ms(now) if overlay is None else None,
            permits_in_use=self._round.in_use(now) if probing else 0,
            pressure=self._pressure,
        )

    def next_settlement(self) -> float:
        """When time alone may decide something (`settle`); infinity where it never does."""
        ends = inf if self._overlay_until is None else self._overlay_until
        return min(ends, self._round.next_end()) if self._state == "half_open" else ends

    def snapshot(self) -> dict[str, Any]:
        """All that `restore` needs, as JSON can keep it."""
        self._catch_up()
        return {
            "format": SNAPSHOT_FORMAT,
            "state": self._state,
            "overlay": self._overlay,
            "overlay_until": self._overlay_until,
            "epoch": self._epoch,
            "since": self._since,
            "begun": None if self._begun == -inf else self._begun,
            "window": self._window.snapshot(),
            "consecutive_failures": self._consecutive_failures,
            "failed_rounds": self._failed_rounds,
            "may_probe_at": self._may_probe_at,
            "round": self._round.snapshot() if self._state == "half_open" else None,
            "trips": dict(self._trips),
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
        machine._overlay_until = snapshot["overlay_until"]
        machine._epoch = snapshot["epoch"]
        machine._since = snapshot["since"]
        machine._begun = -inf if snapshot["begun"] is None else snapshot["begun"]
        machine._window = make_window(config, snapshot["window"])
        machine._consecutive_failures = snapshot["consecutive_failures"]
        machine._failed_rounds = snapshot["failed_rounds"]
        machine._may_probe_at = snapshot["may_probe_at"]
        machine._trips = dict(snapshot["trips"])
        if snapshot["round"] is not None:
            machine._round = ProbeRound.restore(snapshot["round"])
        machine._hang_door()
        return machine

    # Deciding

    def _admit_as_computed(self, now: float, transitions: tuple[Transition, ...]) -> Permit | Refusal:
        if self._state == "open":
            if now < self._may_probe_at:
                return Refusal("open", self._retry_after_ms(now), transitions)
            transitions += (self._probe(now, begun=now),)
        elif self._state == "half_open" and (settled := self._settle(now)):
            transitions += (settled,)
        if self._state == "closed":
            return Permit(self._epoch, 0, transitions)
        if self._state == "half_open" and self._round.has_room(self._config.half_open_permits):
            expires_at = now + self._config.half_open_timeout_ms / 1_000
            return Permit(self._epoch, self._round.admit(expires_at), transitions)
        return Refusal(self._state, self._retry_after_ms(now), transitions)

    def _take(self, failed: bool, slow: bool, now: float, *, may_open: bool) -> tuple[Transition, ...]:
        """A result that counts, of a call that another process admitted."""
        if self._state == "closed":
            suffices = may_open and self._config.trip_quorum == 1
            return _all(self._count(failed, slow, now, suffices=suffices))
        probing = (
            () if self._state == "half_open" else (self._probe(now, begun=min(self._may_probe_at, now)),)
        )
        return probing + _all(self._count_probe(failed, slow, now))

    def _count(self, failed: bool, slow: bool, now: float, *, suffices: bool = True) -> Transition | None:
        """`suffices`: the results may open it, whatever other processes found."""
        self._catch_up()
        self._window.record(failed, slow, now)
        self._consecutive_failures = self._consecutive_failures + 1 if failed else 0
        totals, config = self._window.totals(now), self._config
        if totals.calls >= config.minimum_calls and config.window_type == "count":
            self.relaxed = self.open_door
        reached = reached_when_closed(config, totals, self._consecutive_failures) if suffices else None
        return None if reached is None else self._open(now, *reached)

    def _catch_up(self) -> None:
        """Records the successes that were only counted. Asking the counter counts as one, which is taken off."""
        if self.relaxed is None or not isinstance(self._window, CountWindow):
            return
        counted = next(self.relaxed.successes) - self._caught_up
        self._caught_up += counted + 1
        if counted:
            self._consecutive_failures = 0
            self._window.record_successes(counted)

    def _count_probe(self, failed: bool, slow: bool, now: float) -> Transition | None:
        self._round.record(failed, slow)
        return self._judge_probes(now)

    def _settle(self, now: float) -> Transition | None:
        """In half_open: lets overdue probes expire, and decides where nothing is left to wait for."""
        expired = self._round.expired
        self._round.expire(now)
        decided = self._judge_probes(now, expired=self._round.expired > expired)
        if decided is None and now >= self._round.ends_at:
            decided = self._lose(now, *round_over(self._config, self._round))
        return decided

    def _judge_probes(self, now: float, *, expired: bool = False) -> Transition | None:
        probes = self._round
        missed = missed_by_probes(self._config, probes)
        if missed is not None:
            return self._lose(now, "probe_expired" if expired else missed.cause, missed.message)
        if probes.results < self._config.half_open_permits:
            return None
        message = f"{probes.successes} of {probes.results} probes succeeded"
        return self._close(now, "probes_succeeded", message)

    # Moving

    def _lose(self, now: float, cause: Cause, message: str) -> Transition:
        """Opens again after a round of probes: each time for longer."""
        self._failed_rounds += 1
        return self._open(now, cause, message)

    def _open(self, now: float, cause: Cause, message: str) -> Transition:
        config = self._config
        backoff = config.backoff_multiplier ** min(self._failed_rounds, _MAX_BACKOFF_STEPS)
        wait_ms = min(config.reset_timeout_ms * backoff, config.max_reset_timeout_ms)
        self._may_probe_at = now + wait_ms * (1 - config.jitter * self._random()) / 1_000
        return self._enter("open", now, cause, message)

    def _probe(
        self, now: float, *, begun: float, cause: Cause = "reset_timeout", message: str = ""
    ) -> Transition:
        permits = self._config.half_open_permits
        message = message or f"the reset time-out is over; probes decide (half_open_permits = {permits})"
        transition = self._enter("half_open", now, cause, message)
        self._begun = begun
        return transition

    def _close(self, now: float, cause: Cause, message: str, laid: _Laid | None = None) -> Transition:
        transition = self._enter("closed", now, cause, message, laid)
        self._window = make_window(self._config)
        self._consecutive_failures = self._failed_rounds = 0
        self._may_probe_at = 0.0
        return transition

    def _lay_over(
        self, overlay: Overlay | None, cause: Cause, message: str, now: float, until: float | None = None
    ) -> tuple[Transition, ...]:
        if (overlay, until) == (self._overlay, self._overlay_until):
            return ()
        return (self._enter(self._state, now, cause, message, (overlay, until)),)

    def _lapse(self, now: float) -> tuple[Transition, ...]:
        """Ends an overlay whose time is over."""
        if (since := self._since) is not None and now < since:
            self._since = now
            self._wait_anew(since - now)
        if self._overlay is None or self._overlay_at(now) is not None:
            return ()
        message = f"the time of {self._overlay} is over: {self._state} again, as computed"
        return self._lay_over(None, "overlay_ended", message, now)

    def _wait_anew(self, seconds: float) -> None:
        """The clock has stepped back: whatever is waited for is waited for from now on. The end that an operator named
        stays."""
        self._begun -= seconds
        self._may_probe_at -= seconds
        self._round.wait_anew(seconds)
        self._trips = {name: at - seconds for name, at in self._trips.items()}
        if self.shut_until > -inf:
            self.shut_until = self._may_probe_at

    def _overlay_at(self, now: float) -> Overlay | None:
        over = self._overlay_until is not None and now >= self._overlay_until
        return None if over else self._overlay

    def _enter(
        self, state: ComputedState, now: float, cause: Cause, message: str, laid: _Laid | None = None
    ) -> Transition:
        """Begins a new epoch; what an operator laid over it stays, unless `laid` says otherwise."""
        before, counts = self._overlay or self._state, self._counts(now)
        self._state = state
        if laid is not None:
            self._overlay, self._overlay_until = laid
        self._epoch += 1
        self._since = self._begun = now
        self._round = ProbeRound(now + self._config.max_half_open_ms / 1_000)
        self._trips.clear()
        self._hang_door()
        return Transition(
            from_state=before,
            to_state=self._overlay or state,
            computed_state=state,
            cause=cause,
            message=message,
            epoch=self._epoch,
            at=now,
            retry_after_ms=None if self._overlay else self._retry_after_ms(now),
            overlay_until=self._overlay_until,
            counts=counts,
        )

    def _counts(self, now: float) -> dict[str, int]:
        """What it judges by."""
        probes = self._round
        if self._state == "half_open":
            calls, failures, slow, in_a_row = (
                probes.results,
                probes.failures,
                probes.slow,
                probes.failures_in_a_row,
            )
        else:
            (calls, failures, slow), in_a_row = self.totals(now), self._consecutive_failures
        return {"calls": calls, "failures": failures, "slow_calls": slow, "consecutive_failures": in_a_row}

    def _hang_door(self) -> None:
        """A permit for everybody in this epoch, handed out while the door is open."""
        self._everybody = Permit(self._epoch)
        self._caught_up = 0
        self._open_or_shut_door()

    def _open_or_shut_door(self) -> None:
        closed = self._overlay is None and self._state == "closed" and not self._pressure
        disabled = self._overlay == "disabled" and self._overlay_until is None
        self.open_door = self._everybody if closed or disabled else None
        self.relaxed = None
        waits = self._overlay is None and self._state == "open" and not self._pressure
        self.shut_until = self._may_probe_at if waits else -inf

    def _retry_after_ms(self, now: float) -> float | None:
        if self._state != "open":
            return None
        return max(0.0, (self._may_probe_at - now) * 1_000)


def _all(transition: Transition | None) -> tuple[Transition, ...]:
    return () if transition is None else (transition,)
