"""Leave for one call, asked of the fleet's breaker: by callers without the SDK, and by SDKs that want to probe.

A permit is a text, `EPOCH` or, for a probe, `EPOCH.PROBE`. Whoever got it reports the operation with it; a probe not
heard of within half_open_timeout_ms counts as failed and gives its permit back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from featurememory import bus
from featurememory.circuit_breaker.events import Permit, Refusal
from featurememory.circuit_breaker.storage import Moved, find_breaker, keep, lock_breaker, machine_of


@dataclass(frozen=True, slots=True)
class Admission:
    """`retry_after_ms` is the wait for the next probe, None where time alone does not decide; `permit` is empty
    where none is given."""

    allowed: bool
    state: str
    retry_after_ms: float | None
    permit: str


def ask_for_permit(name: str, now: datetime) -> Admission:
    """Whether one call may go at `now`. Only a probe changes anything, or a clock that stepped back, and only then is
    the row locked.

    UnknownBreaker where nothing has been heard of the breaker yet: nothing speaks against the call then.
    """
    seconds = now.timestamp()
    machine = machine_of(find_breaker(name))
    stepped_back = machine.is_ahead_of(seconds)
    answer = machine.admit(seconds)
    if stepped_back or _changes(answer):
        with transaction.atomic():
            breaker = lock_breaker(name)
            machine = machine_of(breaker)
            answer = machine.admit(seconds)
            events = keep([Moved(breaker, machine, answer.transitions)])
        if events:
            bus.announce(events[-1].sequence)
    if isinstance(answer, Refusal):
        return Admission(False, answer.state, answer.retry_after_ms, "")
    return Admission(True, machine.state(seconds), None, permit_text(answer.epoch, answer.probe))


def permit_text(epoch: int, probe: int = 0) -> str:
    return f"{epoch}.{probe}" if probe else f"{epoch}"


def read_permit(text: str) -> tuple[int | None, int]:
    """(epoch, probe) of a permit; the epoch is None, and the probe 0, where `text` is empty."""
    if not text:
        return None, 0
    epoch, _, probe = text.partition(".")
    return int(epoch), int(probe or 0)


def _changes(answer: Permit | Refusal) -> bool:
    return bool(answer.transitions) or (isinstance(answer, Permit) and answer.probe > 0)
