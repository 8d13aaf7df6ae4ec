"""What the fleet's breakers make of the operations that come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connection

from featurememory import bus
from featurememory.circuit_breaker.events import Kind
from featurememory.circuit_breaker.machine import BreakerMachine, Transition
from featurememory.circuit_breaker.storage import Moved, keep, locked_revisions, machine_of
from featurememory.models import Breaker, BreakerEvent
from featurememory.sequence import last_sequence_number


@dataclass(slots=True)
class BreakerResults:
    """What became of one breaker's calls, and the (operation_type, model) of the first of them."""

    operation_type: str
    model: str
    results: list[tuple[float, float, Kind]] = field(default_factory=list)
    """(ended_at, started_at, kind): seconds since the Unix epoch by the caller's clock, and success or failure."""


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
        for name, (breaker, machine) in sorted(machines.items()):
            transitions: list[Transition] = []
            for _, started_at, kind in sorted(told[name].results):
                transitions.extend(machine.observe(kind, started_at, now))
            breaker.last_result_at = moment
            moved.append(Moved(breaker, machine, transitions))
        return keep(moved)

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
        for name, revision in locked_revisions(names):
            kept = self._kept.get(name)
            if kept is not None and kept[0].revision == revision:
                found[name] = kept
            else:
                stale.append(name)
        for breaker in Breaker.objects.filter(name__in=stale) if stale else ():
            found[breaker.name] = self._kept[breaker.name] = (breaker, machine_of(breaker))
        return found

    def _make_missing(self, strangers: Set[str], told: Mapping[str, BreakerResults], now: float) -> None:
        """Rows for those of `strangers` that have none, as many as there is room for; before any row is locked, so
        that two processes cannot wait for each other."""
        if not strangers:
            return
        there = set(Breaker.objects.filter(name__in=strangers).values_list("name", flat=True))
        missing = sorted(strangers - there)
        if not missing:
            return
        room = self._max_breakers - Breaker.objects.count()
        if room < len(missing):
            room += _drop_least_recently_used(len(missing) - room, keep=told)
            self.forget()
        moment = datetime.fromtimestamp(now, UTC)
        # A name may come back after it was dropped: its versions go on above all that anybody has heard.
        version = last_sequence_number()
        Breaker.objects.bulk_create(
            [
                Breaker(
                    name=name,
                    operation_type=told[name].operation_type,
                    model=told[name].model,
                    version=version,
                    changed_at=moment,
                    created_at=moment,
                )
                for name in missing[: max(room, 0)]
            ],
            ignore_conflicts=True,
        )


def _drop_least_recently_used(count: int, keep: Iterable[str]) -> int:
    """Makes room by forgetting closed breakers nobody has used for longest; those open or forced stay, and so do
    those being used now, by this transaction or another."""
    idle = Breaker.objects.filter(state=Breaker.State.CLOSED).exclude(name__in=list(keep))
    if connection.features.has_select_for_update_skip_locked:
        idle = idle.select_for_update(skip_locked=True)
    gone = list(idle.order_by("last_result_at").values_list("pk", flat=True)[:count])
    Breaker.objects.filter(pk__in=gone).delete()
    return len(gone)
