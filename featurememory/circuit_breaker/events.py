"""What a breaker is told and what it tells, as values: results, permits, transitions, its status."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Literal, NamedTuple

Kind = Literal["success", "failure", "ignored"]
ComputedState = Literal["closed", "open", "half_open"]
Overlay = Literal["forced_open", "disabled", "metrics_only"]
State = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]
RefusedAs = Literal["open", "half_open", "forced_open", "overloaded"]
Cause = Literal[
    "max_failures",
    "failure_rate",
    "slow_call_rate",
    "tripped",
    "reset_timeout",
    "probes_succeeded",
    "probe_failed",
    "probe_expired",
    "half_open_expired",
    "forced_open",
    "disabled",
    "metrics_only",
    "overlay_ended",
    "released",
    "reset",
    "fleet",
]

_KINDS: dict[str, Kind] = {
    "success": "success",
    "error": "failure",
    "timeout": "failure",
    "cancelled": "ignored",
    "rejected": "ignored",
}


def kind_of(outcome: str) -> Kind:
    """What an operation's outcome means to its breaker; KeyError for a word that is no outcome."""
    return _KINDS[outcome]


class Transition(NamedTuple):
    """One change of a breaker; states are the effective ones, as callers meet them.

    `at` is in the seconds of the clock that the machine was given, `retry_after_ms` the wait for the first probe
    (only when it is open now), `overlay_until` the end of what is laid over it now, `counts` the figures that the
    decision stood on.
    """

    from_state: State
    to_state: State
    computed_state: ComputedState
    cause: Cause
    message: str
    epoch: int
    at: float
    retry_after_ms: float | None
    overlay_until: float | None
    counts: Mapping[str, int]


class Permit:
    """Leave to run a call. All calls of a closed epoch share one; each probe has its own.

    `transitions` is what asking for it has caused. `successes` counts, without a lock, those that need not be
    recorded at once (BreakerMachine.relaxed). `token` names a probe that the fleet has granted.
    """

    __slots__ = ("epoch", "probe", "successes", "token", "transitions")

    def __init__(
        self, epoch: int, probe: int = 0, transitions: tuple[Transition, ...] = (), token: str = ""
    ) -> None:
        self.epoch = epoch
        self.probe = probe
        self.transitions = transitions
        self.token = token
        self.successes = count()


class Refusal(NamedTuple):
    """No leave: `retry_after_ms` is the wait for the next probe, None where time alone does not decide; `detail`
    names the threshold when the host is overloaded."""

    state: RefusedAs
    retry_after_ms: float | None
    transitions: tuple[Transition, ...] = ()
    detail: str = ""


class BreakerStatus(NamedTuple):
    """How a breaker stands at one moment; times in seconds of its clock.

    `calls`, `failures` and `slow_calls` are those it judges by: the window's, or in half_open those of the probes
    that are back. Rates are in percent, None while too few calls are known. `since` is the last transition's
    time, None before the first. `pressure` says what overloads the host, if anything does.
    """

    state: State
    computed_state: ComputedState
    overlay: Overlay | None
    overlay_until: float | None
    epoch: int
    consecutive_failures: int
    calls: int
    failures: int
    slow_calls: int
    failure_rate: float | None
    slow_call_rate: float | None
    since: float | None
    may_probe_at: float | None
    retry_after_ms: float | None
    permits_in_use: int
    pressure: str
