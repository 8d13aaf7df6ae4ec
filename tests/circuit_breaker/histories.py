"""Short ways to tell a breaker a history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Permit, Refusal, Transition
from featurememory.circuit_breaker.machine import BreakerMachine


def breaker(**settings: Any) -> BreakerMachine:
    """A breaker without jitter, unless `settings` say otherwise."""
    return BreakerMachine(BreakerConfig.from_mapping({"jitter": 0} | settings), random=lambda: 0.5)


def permit(machine: BreakerMachine, now: float) -> Permit:
    admitted = machine.admit(now)
    assert isinstance(admitted, Permit), admitted
    return admitted


def refusal(machine: BreakerMachine, now: float) -> Refusal:
    refused = machine.admit(now)
    assert isinstance(refused, Refusal), refused
    return refused


def call(machine: BreakerMachine, kind: Kind, now: float, duration_s: float = 0.0) -> Transition | None:
    """One call from leave to result; the transition that the result caused."""
    moved = machine.record(permit(machine, now), kind, now, duration_s)
    assert len(moved) <= 1
    return moved[0] if moved else None


def calls(machine: BreakerMachine, results: str, now: float = 0.0) -> list[Transition]:
    """One call for each letter, S for success and F for failure; the transitions they caused."""
    moved = (call(machine, "failure" if letter == "F" else "success", now) for letter in results)
    return [transition for transition in moved if transition is not None]


def opened(at: float = 0.0, **settings: Any) -> BreakerMachine:
    """A breaker that failures in a row, three unless `settings` say otherwise, have opened at `at`."""
    machine = breaker(**({"max_failures": 3} | settings))
    calls(machine, "F" * machine.config.max_failures, at)
    assert machine.state(at) == "open"
    return machine


def causes(transitions: Iterable[Transition]) -> list[str]:
    return [transition.cause for transition in transitions]
