"""What the fleet's breakers make of the operations that come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from featurememory import bus
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.configuration import Layers
from featurememory.circuit_breaker.events import Kind
from featurememory.circuit_breaker.machine import BreakerMachine, Transition
from featurememory.circuit_breaker.storage import (
    Moved,
    keep,
    lock_revisions,
    machine_of,
    remember_transitions,
)
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Breaker, BreakerEvent
from featurememory.sequence import last_sequence_number

OLD_NEWS_S = 5.0
"""What a process with a breaker of its own reports later than this, because the server was away, opens nothing any
more: were it still so, that breaker would be open, and would have said so before."""


class Result(NamedTuple):
    """How one call went. Moments are seconds since the Unix epoch by the caller's clock; `epoch` and `probe` are
    those of its permit, None and 0 where it had none."""

    ended_at: float
    started_at: float
    kind: Kind
    duration_s: float
    epoch: int | None = None
    probe: int = 0
    was_refused: bool = False
    operation_type: str = ""
    is_guarded: bool = False
    """Whether a breaker of the caller's own process, which opens the fleet's at once when it trips, saw it too."""


@dataclass(slots=True)
class BreakerResults:
    """What became of one breaker's calls, and the (operation_type, model) of the first of them."""

    operation_type: str
    model: str
    results: list[Result] = field(default_factory=list)
    declared: Mapping[str, Any] | None = None
    """How the callers' SDK is configured, where it says so."""

    @property
    def say_something(self) -> bool:
        """Whether any call ran to an end that counts."""
        return any(each.kind != "ignored" for each in self.results)


class Fleet:
    """What ingestion tells the breakers; one per writer.

    Machines are kept between transactions and used again as long as their row's revision is the one they were
    written with.
    """

    def __init__(self, max_breakers: int) -> None:
        self._max_breakers = max_breakers
        self._kept: dict[str, tuple[Breaker, BreakerMachine]] = {}

    def observe(self, told: Mapping[str, BreakerResults], now: float) -> list[BreakerEvent]:
        """Feeds each named breaker its results, in the order they ended; inside the caller's transaction."""
        if not told:
            return []
        self._make_missing(told.keys() - self._kept.keys(), told, now)
        machines = self._lock(told)
        if dropped := self._kept.keys() & (told.keys() - machines.keys()):  # by another process
            self.forget()
            self._make_missing(dropped, told, now)
            machines |= self._lock(dropped)
        moment = datetime.fromtimestamp(now, UTC)
        moved = []
        for name, (breaker, found) in sorted(machines.items()):
            machine = self._declared(breaker, found, told[name].declared)
            results = [each for each in told[name].results if machine.config.covers(each.operation_type)]
            breaker.calls = _counted(breaker.calls, results, machine.config.slow_call_duration_ms / 1_000)
            breaker.last_result_at = moment
            moved.append(Moved(breaker, machine, _tell(machine, results, now)))
        return keep(moved)

    def _declared(
        self, breaker: Breaker, machine: BreakerMachine, declared: Mapping[str, Any] | None
    ) -> BreakerMachine:
        """The machine under what its callers' SDK is configured to now; its window stays as far as it fits."""
        if declared is None or declared == breaker.declared:
            return machine
        breaker.declared = dict(declared)
        breaker.config = Layers.stored().effective(breaker.operation_type, breaker.name, declared)
        breaker.save(update_fields=["declared", "config"])
        machine = BreakerMachine.restore(BreakerConfig.from_mapping(breaker.config), machine.snapshot())
        self._kept[breaker.name] = (breaker, machine)
        return machine

    def troubled(self, names: Iterable[str]) -> set[str]:
        """Those of the named breakers that were observed last and do not stand closed by their own account."""
        kept = ((name, self._kept.get(name)) for name in names)
        return {name for name, each in kept if each and each[0].computed_state != Breaker.State.CLOSED}

    def forget(self) -> None:
        """After a transaction that was rolled back: what is kept has seen what never happened."""
        self._kept.clear()

    def announce(self, events: list[BreakerEvent]) -> None:
        """Lets the live bus know, after the commit."""
        if events:
            bus.announce(events[-1].sequence)

    def _lock(self, names: Iterable[str]) -> dict[str, tuple[Breaker, BreakerMachine]]:
        """The named breakers that are there, their rows locked in order."""
        stale = []
        found: dict[str, tuple[Breaker, BreakerMachine]] = {}
        for name, revision in lock_revisions(names):
            kept = self._kept.get(name)
            if kept is not None and kept[0].revision == revision:
                found[name] = kept
            else:
                stale.append(name)
        for breaker in Breaker.objects.filter(name__in=stale) if stale else ():
            found[breaker.name] = self._kept[breaker.name] = (breaker, machine_of(breaker))
        return found

    def _make_missing(self, strangers: Set[str], told: Mapping[str, BreakerResults], now: float) -> None:
        """Rows for those of `strangers` that have none and something to count, as many as there is room for; before
        any row is locked, so that two processes cannot wait for each other."""
        missing = {name for name in strangers if told[name].say_something}
        if missing:
            missing -= set(Breaker.objects.filter(name__in=missing).values_list("name", flat=True))
        if not missing:
            return
        be_alone_with(Lock.BREAKERS)
        room = self._max_breakers - Breaker.objects.count()
        if room < len(missing):
            room += _drop_least_recently_used(len(missing) - room, keep=told)
            self.forget()
        moment, layers = datetime.fromtimestamp(now, UTC), Layers.stored()
        # A name may come back after it was dropped: its versions go on above all that anybody has heard.
        version = last_sequence_number()
        Breaker.objects.bulk_create(
            [
                _new_breaker(name, told[name], layers, version=version, changed_at=moment, created_at=moment)
                for name in sorted(missing)[: max(room, 0)]
            ],
            ignore_conflicts=True,
        )


def _new_breaker(name: str, first: BreakerResults, layers: Layers, **fields: Any) -> Breaker:
    return Breaker(
        name=name,
        operation_type=first.operation_type,
        model=first.model,
        declared=dict(first.declared or {}),
        config=layers.effective(first.operation_type, name, first.declared or {}),
        **fields,
    )


def _tell(machine: BreakerMachine, results: Iterable[Result], now: float) -> list[Transition]:
    transitions: list[Transition] = []
    for each in sorted(results, key=itemgetter(0, 1, 2)):
        if not each.was_refused:
            started_at = min(each.started_at, now - each.duration_s)  # whatever the caller's clock says
            is_old_news = each.is_guarded and now - each.ended_at > OLD_NEWS_S
            transitions += machine.observe(
                each.kind, started_at, now, each.duration_s, each.epoch, each.probe, may_open=not is_old_news
            )
    return transitions


def _counted(calls: Mapping[str, int], results: Iterable[Result], slow_s: float) -> dict[str, int]:
    """`calls` with the results added to their kinds."""
    counted = dict(calls)
    for each in results:
        kinds: list[str] = ["not_permitted"] if each.was_refused else [each.kind]
        if not each.was_refused and each.kind != "ignored" and each.duration_s >= slow_s:
            kinds.append(f"slow_{each.kind}")
        for kind in kinds:
            counted[kind] = counted.get(kind, 0) + 1
    return counted


def _drop_least_recently_used(count: int, keep: Iterable[str]) -> int:
    """Makes room by forgetting closed breakers nobody has used for longest; those open or forced stay, and so do
    those being used now, by this transaction or another."""
    idle = Breaker.objects.filter(state=Breaker.State.CLOSED).exclude(name__in=list(keep))
    if connection.features.has_select_for_update_skip_locked:
        idle = idle.select_for_update(skip_locked=True)
    gone = dict(idle.order_by("last_result_at").values_list("pk", "transitions")[:count])
    if gone:
        remember_transitions(gone.values())
        Breaker.objects.filter(pk__in=gone).delete()
    return len(gone)
