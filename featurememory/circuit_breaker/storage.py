"""Breakers in the database: the plain machine's snapshot in one row each, and an event row for each transition.

Whoever changes a breaker holds its row's lock. A transition's number in the live sequence is also the breaker's
version: it grows for ever, even when a breaker is forgotten and comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isinf
from typing import NamedTuple

import orjson
from django.db import connection

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.machine import BreakerMachine, BreakerStatus, Transition
from featurememory.errors import FeatureMemoryError
from featurememory.models import Breaker, BreakerEvent, ForgottenBreakers
from featurememory.sequence import next_sequence_numbers


class UnknownBreaker(FeatureMemoryError):
    """No breaker has this name; one comes into being with the first operation it covers."""

    code = "unknown_breaker"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no breaker {name!r}. One comes into being with the first operation it covers.",
            name=name,
        )


class Moved(NamedTuple):
    """A breaker's row, its machine after what it was told, and the transitions that it made of it."""

    breaker: Breaker
    machine: BreakerMachine
    transitions: Sequence[Transition]


def machine_of(breaker: Breaker) -> BreakerMachine:
    """The state machine as the row holds it."""
    config = BreakerConfig.from_mapping(breaker.config)
    return BreakerMachine.restore(config, breaker.machine) if breaker.machine else BreakerMachine(config)


def status_of(breaker: Breaker, now: datetime) -> BreakerStatus:
    """How the breaker stands at `now`; reading changes nothing."""
    return machine_of(breaker).status(now.timestamp())


def find_breaker(name: str) -> Breaker:
    """The breaker as it is stored; UnknownBreaker where there is none."""
    breaker = Breaker.objects.filter(name=name).first()
    if breaker is None:
        raise UnknownBreaker(name)
    return breaker


def lock_breaker(name: str) -> Breaker:
    """The breaker, its row locked until the transaction ends; UnknownBreaker where there is none."""
    breaker = Breaker.objects.select_for_update().filter(name=name).first()
    if breaker is None:
        raise UnknownBreaker(name)
    return breaker


def lock_revisions(names: Iterable[str]) -> list[tuple[str, int]]:
    """(name, revision) of the named breakers that are there, their rows locked in order of their names."""
    wanted = list(names)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK.format(", ".join(["%s"] * len(wanted))) + _for_update(), wanted)
        found: list[tuple[str, int]] = cursor.fetchall()
    return found


def keep(moved: Sequence[Moved], *, actor: str = "", reason: str = "") -> list[BreakerEvent]:
    """Writes the machines back to their rows, with an event for each transition; gives the events."""
    events = _record_events(moved, actor, reason)
    for each in moved:
        _take_over(*each)
    _save([each.breaker for each in moved])
    return events


def remember_transitions(of_forgotten: Iterable[Mapping[str, int]]) -> None:
    """Keeps the counts of breakers that are being forgotten; the caller is alone with Lock.BREAKERS."""
    row, _ = ForgottenBreakers.objects.get_or_create(id=1)
    counts = Counter(row.transitions)
    for each in of_forgotten:
        counts.update(each)
    row.transitions = dict(counts)
    row.save(update_fields=["transitions"])


def _take_over(breaker: Breaker, machine: BreakerMachine, transitions: Sequence[Transition]) -> None:
    breaker.machine = machine.snapshot()
    breaker.revision += 1
    due = machine.next_settlement()
    breaker.due_at = None if isinf(due) else _moment(due)
    if transitions:
        last = transitions[-1]
        breaker.state, breaker.computed_state = last.to_state, last.computed_state
        breaker.epoch = last.epoch
        breaker.changed_at = _moment(last.at)
        moves = [
            f"{each.from_state} {each.to_state}" for each in transitions if each.from_state != each.to_state
        ]
        breaker.transitions = dict(Counter(breaker.transitions) + Counter(moves))


def _save(breakers: Iterable[Breaker]) -> None:
    changes = [
        (
            orjson.dumps(breaker.machine).decode(),
            orjson.dumps(breaker.calls).decode(),
            orjson.dumps(breaker.transitions).decode(),
            breaker.state,
            breaker.computed_state,
            breaker.epoch,
            breaker.version,
            breaker.revision,
            _database_time(breaker.changed_at),
            _database_time(breaker.last_result_at),
            _database_time(breaker.due_at),
            breaker.pk,
        )
        for breaker in breakers
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE, changes)


_LOCK = "SELECT name, revision FROM featurememory_breaker WHERE name IN ({}) ORDER BY name"

_SAVE = """
    UPDATE featurememory_breaker SET
        machine = %s, calls = %s, transitions = %s, state = %s, computed_state = %s,
        epoch = %s, version = %s, revision = %s, changed_at = %s, last_result_at = %s, due_at = %s
    WHERE id = %s
"""


def _for_update() -> str:
    return " FOR UPDATE" if connection.features.has_select_for_update else ""


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _database_time(moment: datetime | None) -> str | None:
    adapted: str | None = connection.ops.adapt_datetimefield_value(moment)
    return adapted


def _record_events(moved: Sequence[Moved], actor: str, reason: str) -> list[BreakerEvent]:
    pending = [(breaker, each) for breaker, _, transitions in moved for each in transitions]
    if not pending:
        return []
    events = []
    for number, (breaker, each) in zip(next_sequence_numbers(len(pending)), pending, strict=True):
        breaker.version = number
        events.append(
            BreakerEvent(
                sequence=number,
                breaker=breaker,
                name=breaker.name,
                from_state=each.from_state,
                to_state=each.to_state,
                computed_state=each.computed_state,
                cause=each.cause,
                message=each.message,
                actor=actor,
                reason=reason,
                epoch=each.epoch,
                counts=dict(each.counts),
                retry_after_ms=each.retry_after_ms,
                overlay_until=None if each.overlay_until is None else _moment(each.overlay_until),
                at=_moment(each.at),
            )
        )
    BreakerEvent.objects.bulk_create(events)
    return events
