"""The life of an alert: pending, firing, acknowledged, resolved. Plain: from what is known of it, what an evaluation
found, and the time, to what is known then and what has changed.

An evaluation that is missed, that fails, or that finds no data decides nothing (unless the rule says that no data
does): only one that found the condition over resolves. One that flaps stays open until it is steady, so that it is told
of once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from featurememory.alerts.flapping import flaps, remember

BADNESS: Final = {"info": 0, "warning": 1, "critical": 2}


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Data(StrEnum):
    THERE = "there"
    NO_DATA = "no_data"
    ERROR = "error"


class Found(StrEnum):
    """What an evaluation says of a label set."""

    ACTIVE = "active"
    CLEAR = "clear"
    NO_DATA = "no_data"
    ERROR = "error"


def found_of(holds: bool | None) -> Found:
    """Whether the condition holds; None where there is no telling."""
    return {True: Found.ACTIVE, False: Found.CLEAR, None: Found.NO_DATA}[holds]


class Happened(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    REOPENED = "reopened"
    SEVERITY = "severity"
    FLAPPING = "flapping"
    STEADY = "steady"
    NO_DATA = "no_data"
    ERROR = "error"
    DATA = "data"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Timing:
    """Of a rule. `no_data`: keep, resolve or alert."""

    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    no_data: str = "keep"


@dataclass(frozen=True, slots=True)
class Life:
    """Of one label set of one rule, while it is open."""

    state: State
    severity: str
    started_at: datetime
    seen_at: datetime
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    acknowledged_severity: str = ""
    resolved_at: datetime | None = None
    data: Data = Data.THERE
    looks: str = ""
    is_flapping: bool = False


class Step(NamedTuple):
    """`life` is None where nothing is wrong, or no longer."""

    life: Life | None
    happened: tuple[Happened, ...] = ()


_Living = tuple[Life, tuple[Happened, ...]]


def step(
    life: Life | None, found: Found, severity: str, timing: Timing, now: datetime, earlier_looks: str = ""
) -> Step:
    """After one more evaluation; the same evaluation again changes nothing. `earlier_looks` are those of the alert
    that this label set had before, if it had one."""
    if life is None:
        return _begin(found, severity, timing, now, earlier_looks)
    if now == life.seen_at:
        return Step(life)
    life, happened = _data(_seen(life, now), found)
    match _meaning(found, timing):
        case Found.ACTIVE:
            after = _active(life, found, severity, timing, now)
        case Found.CLEAR:
            after = _clear(life, found, timing, now)
        case _:
            after = Step(replace(life, clear_since=None))
    return Step(after.life, (*happened, *after.happened))


def _meaning(found: Found, timing: Timing) -> Found:
    """What no data stands for is the rule's to say."""
    if found is Found.NO_DATA:
        return {"alert": Found.ACTIVE, "resolve": Found.CLEAR}.get(timing.no_data, found)
    return found


def _begin(found: Found, severity: str, timing: Timing, now: datetime, earlier_looks: str) -> Step:
    if _meaning(found, timing) is not Found.ACTIVE:
        return Step(None)
    looks = remember(earlier_looks, True)
    is_flapping = flaps(looks, before=False)
    data = Data.NO_DATA if found is Found.NO_DATA else Data.THERE
    life = Life(State.PENDING, severity, now, now, data=data, looks=looks, is_flapping=is_flapping)
    flapping = (Happened.FLAPPING,) if is_flapping else ()
    if timing.for_s > 0:
        return Step(life, (Happened.PENDING, *flapping))
    return Step(replace(life, state=State.FIRING, fired_at=now), (Happened.FIRING, *flapping))


def _seen(life: Life, now: datetime) -> Life:
    """Nothing lies ahead of a clock that was set back."""
    clear_since = life.clear_since and min(life.clear_since, now)
    return replace(life, seen_at=now, started_at=min(life.started_at, now), clear_since=clear_since)


def _data(life: Life, found: Found) -> _Living:
    """Whether there was anything to judge by."""
    data = {Found.NO_DATA: Data.NO_DATA, Found.ERROR: Data.ERROR}.get(found, Data.THERE)
    if data == life.data:
        return life, ()
    told = {Data.NO_DATA: Happened.NO_DATA, Data.ERROR: Happened.ERROR, Data.THERE: Happened.DATA}
    return replace(life, data=data), (told[data],)


def _active(life: Life, found: Found, severity: str, timing: Timing, now: datetime) -> Step:
    life, happened = _looked(replace(life, clear_since=None), found, is_active=True)
    if severity != life.severity:
        life = replace(life, severity=severity)
        happened = (*happened, Happened.SEVERITY)
    if life.state is State.PENDING and now - life.started_at >= timedelta(seconds=timing.for_s):
        return Step(replace(life, state=State.FIRING, fired_at=now), (*happened, Happened.FIRING))
    if (
        life.state is State.ACKNOWLEDGED
        and BADNESS[severity] > BADNESS[life.acknowledged_severity or severity]
    ):
        life = replace(life, state=State.FIRING, acknowledged_severity="")
        return Step(life, (*happened, Happened.REOPENED))
    return Step(life, happened)


def _clear(life: Life, found: Found, timing: Timing, now: datetime) -> Step:
    if life.state is State.PENDING:
        return Step(None)
    life, happened = _looked(life, found, is_active=False)
    since = life.clear_since or now
    life = replace(life, clear_since=since)
    if life.is_flapping or now - since < timedelta(seconds=timing.keep_firing_for_s):
        return Step(life, happened)
    return Step(replace(life, state=State.RESOLVED, resolved_at=now), (*happened, Happened.RESOLVED))


def _looked(life: Life, found: Found, *, is_active: bool) -> _Living:
    """Only what was seen counts as a change."""
    if found is Found.NO_DATA:
        return life, ()
    looks = remember(life.looks, is_active)
    is_flapping = flaps(looks, life.is_flapping)
    after = replace(life, looks=looks, is_flapping=is_flapping)
    if is_flapping == life.is_flapping:
        return after, ()
    return after, (Happened.FLAPPING if is_flapping else Happened.STEADY,)
