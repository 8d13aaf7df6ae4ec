"""Breakers as the list shows them: those that need an eye first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, Value, When

from dashboard.breaker_figures import failed, in_a_row
from dashboard.breaker_history import TransitionView, view_transition, with_newest_events
from dashboard.breaker_spread import Spread, spread_of
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.status import why
from dashboard.words import BREAKER_STATES, Look
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus
from featurememory.circuit_breaker.operator_actions import HELD_STATES
from featurememory.circuit_breaker.storage import machine_of
from featurememory.live.followers import connected_followers
from featurememory.models import Breaker, BreakerEvent, Follower

MOST = 200
NOT_CLOSED = "not_closed"
_TOLD = ("cause", "message", "actor", "reason")
_RANK = ("open", "forced_open", "half_open", "disabled", "metrics_only", "closed")


@dataclass(frozen=True, slots=True)
class Filter:
    """What the reader wants to see; it stands in the address."""

    state: str = ""
    """One of the states, NOT_CLOSED, or empty for all."""
    text: str = ""
    only: tuple[int, ...] = ()
    """Just these rows."""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?state=open&text=whisper&only=1,2`; what makes no sense is left out."""
        state = given.get("state", "")
        only = [int(each) for each in given.get("only", "").split(",") if each.isascii() and each.isdigit()]
        return cls(
            state if state in (*BREAKER_STATES, NOT_CLOSED) else "",
            given.get("text", "").replace("\0", "").strip(),
            tuple(each for each in only if each < 2**63)[:MOST],
        )

    @property
    def query(self) -> str:
        given = {"state": self.state, "text": self.text, "only": ",".join(map(str, self.only))}
        return urlencode({key: value for key, value in given.items() if value})

    @property
    def for_all(self) -> Filter:
        """What acting on all of them touches: where no state was asked for, those that are not closed."""
        return self if self.state or self.only else replace(self, state=NOT_CLOSED)

    def choose(self) -> QuerySet[Breaker]:
        """The breakers that fit it, those that need an eye first."""
        order = Case(
            *(When(state=state, then=Value(place)) for place, state in enumerate(_RANK)),
            output_field=IntegerField(),
        )
        breakers = Breaker.objects.order_by(order, "name")
        if self.only:
            breakers = breakers.filter(pk__in=self.only)
        if self.state == NOT_CLOSED:
            breakers = breakers.exclude(state=Breaker.State.CLOSED)
        elif self.state:
            breakers = breakers.filter(state=self.state)
        return breakers.filter(name__icontains=self.text) if self.text else breakers


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """One breaker at one moment.

    `look` is what callers meet, `computed` what it comes to by itself; they differ while `is_held`. `until` is the
    end of an operator's hold, `may_probe_at` when it may probe, in time to come or, with `may_probe`, already past.
    """

    breaker: Breaker
    config: BreakerConfig
    status: BreakerStatus
    look: Look
    computed: Look
    is_held: bool
    why: str
    since: datetime
    until: datetime | None
    in_a_row: str
    failed: str
    may_probe_at: datetime | None
    may_probe: bool
    gives_up_at: datetime | None
    """When a probe that is out, or the round, counts as failed."""
    transitions: tuple[TransitionView, ...]
    spread: Spread | None


@dataclass(frozen=True, slots=True)
class ExportedBreaker:
    """One breaker for a file, with what its latest event says."""

    breaker: Breaker
    status: BreakerStatus
    last: Mapping[str, Any]


EXPORTED: Columns[ExportedBreaker] = {
    "name": lambda row: row.breaker.name,
    "operation_type": lambda row: row.breaker.operation_type,
    "model": lambda row: row.breaker.model,
    "state": lambda row: row.status.state,
    "computed_state": lambda row: row.status.computed_state,
    "held_until": lambda row: _moment(row.status.overlay_until),
    "changed_at": lambda row: row.breaker.changed_at,
    "last_cause": lambda row: row.last["cause"],
    "last_message": lambda row: row.last["message"],
    "last_actor": lambda row: row.last["actor"],
    "last_reason": lambda row: row.last["reason"],
    "failures_in_a_row": lambda row: row.status.consecutive_failures,
    "judged_calls": lambda row: row.status.calls,
    "judged_failures": lambda row: row.status.failures,
    "judged_slow_calls": lambda row: row.status.slow_calls,
    "failure_rate_percent": lambda row: row.status.failure_rate,
    "slow_call_rate_percent": lambda row: row.status.slow_call_rate,
    "may_probe_at": lambda row: _moment(row.status.may_probe_at),
    "last_result_at": lambda row: row.breaker.last_result_at,
    "created_at": lambda row: row.breaker.created_at,
}


def count_states() -> dict[str, int]:
    """How many breakers are in each state; one query."""
    return dict(Breaker.objects.order_by().values_list("state").annotate(Count("pk")))


def list_breakers(chosen: Filter, now: datetime) -> list[BreakerRow]:
    """Up to MOST of the chosen breakers; three queries, however many there are."""
    followers = connected_followers(now)
    return [
        show(breaker, newest, act, followers, now)
        for breaker, newest, act in with_newest_events(chosen.choose()[:MOST])
    ]


def exported(chosen: Filter, now: datetime) -> Iterator[ExportedBreaker]:
    """One query; the latest event of each is looked up in an index."""
    newest = BreakerEvent.objects.filter(breaker=OuterRef("pk")).order_by("-sequence")
    told = {f"last_{name}": Subquery(newest.values(name)[:1]) for name in _TOLD}
    for breaker in chosen.choose().annotate(**told)[:MOST_ROWS].iterator(AT_ONCE):
        last = {name: getattr(breaker, f"last_{name}") for name in _TOLD}
        yield ExportedBreaker(breaker, machine_of(breaker).status(now.timestamp()), last)


def rows_named(names: Iterable[str], now: datetime) -> tuple[list[BreakerRow], list[str]]:
    """The rows of the named breakers, up to MOST, and the names that there are no breakers of."""
    wanted = list(dict.fromkeys(name for name in names if "\0" not in name))[:MOST]
    followers = connected_followers(now)
    found = with_newest_events(Filter().choose().filter(name__in=wanted))
    rows = [show(breaker, newest, act, followers, now) for breaker, newest, act in found]
    known = {row.breaker.name for row in rows}
    return rows, [name for name in wanted if name not in known]


def show(
    breaker: Breaker,
    newest: list[BreakerEvent],
    act: BreakerEvent | None,
    followers: Iterable[Follower],
    now: datetime,
) -> BreakerRow:
    """`newest` are its latest events, newest first, `act` an operator's latest."""
    machine = machine_of(breaker)
    status = machine.status(now.timestamp())
    lapsed = breaker.state in HELD_STATES and status.overlay is None
    held_by = act if act is not None and act.to_state == status.overlay else None
    return BreakerRow(
        breaker=breaker,
        config=machine.config,
        status=status,
        look=BREAKER_STATES[status.state],
        computed=BREAKER_STATES[status.computed_state],
        is_held=status.overlay is not None,
        why=_why(breaker, held_by or (newest[0] if newest else None), lapsed=lapsed),
        since=_since(breaker, held_by, lapsed=lapsed),
        until=_moment(status.overlay_until),
        in_a_row=in_a_row(status, machine.config),
        failed=failed(status, machine.config),
        may_probe_at=_moment(status.may_probe_at),
        may_probe=status.may_probe_at is not None and status.may_probe_at <= now.timestamp(),
        gives_up_at=breaker.due_at if status.state == "half_open" else None,
        transitions=tuple(view_transition(event) for event in newest),
        spread=None if act is None else spread_of(act, followers, now),
    )


def _why(breaker: Breaker, event: BreakerEvent | None, *, lapsed: bool) -> str:
    if lapsed:  # nobody has called since, and the job that writes it down has yet to come by
        return f"The time of “{BREAKER_STATES[breaker.state].word.lower()}” is over."
    return why(event) if event else "It has not changed since it came into being."


def _since(breaker: Breaker, held_by: BreakerEvent | None, *, lapsed: bool) -> datetime:
    if lapsed and (ended := _moment(breaker.machine.get("overlay_until"))):
        return ended
    return held_by.at if held_by else breaker.changed_at


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
