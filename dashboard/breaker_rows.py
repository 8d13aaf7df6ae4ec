"""A breaker as pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Prefetch, QuerySet

from dashboard.status import why
from dashboard.words import BREAKER_STATES, Look, plural, share
from featurememory.circuit_breaker.events import BreakerStatus
from featurememory.circuit_breaker.storage import machine_of
from featurememory.models import Breaker, BreakerEvent

LAST_TRANSITIONS = 5
MOST = 200
_RANK = {"forced_open": 0, "open": 1, "half_open": 2, "disabled": 3, "metrics_only": 4, "closed": 5}


@dataclass(frozen=True, slots=True)
class TransitionView:
    event: BreakerEvent
    before: Look
    after: Look
    why: str
    by_operator: bool


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """`by_itself` is the state it computed, where an operator laid another over it."""

    breaker: Breaker
    status: BreakerStatus
    look: Look
    by_itself: Look | None
    why: str
    in_a_row: str
    failed: str
    may_probe_at: datetime | None
    transitions: tuple[TransitionView, ...]


def list_breakers(state: str, text: str, now: datetime) -> list[BreakerRow]:
    """Up to MOST breakers, those that need an eye first; two queries."""
    newest = Prefetch(
        "events", BreakerEvent.objects.order_by("-sequence")[:LAST_TRANSITIONS], to_attr="newest"
    )
    found = _filtered(state, text).prefetch_related(newest)[:MOST]
    rows = [show(breaker, breaker.newest, now) for breaker in found]
    return sorted(rows, key=lambda row: (_RANK[row.breaker.state], row.breaker.name))


def _filtered(state: str, text: str) -> QuerySet[Breaker]:
    breakers = Breaker.objects.order_by("-changed_at")
    if state in BREAKER_STATES:
        breakers = breakers.filter(state=state)
    return breakers.filter(name__icontains=text) if text else breakers


def count_states() -> dict[str, int]:
    """How many breakers are in each state; one query."""
    return dict(Breaker.objects.order_by().values_list("state").annotate(Count("pk")))


def show(breaker: Breaker, newest: list[BreakerEvent], now: datetime) -> BreakerRow:
    """`newest` are its latest events, newest first."""
    machine = machine_of(breaker)
    status = machine.status(now.timestamp())
    held = breaker.state != breaker.computed_state
    waits = breaker.state == Breaker.State.OPEN and status.may_probe_at is not None
    return BreakerRow(
        breaker=breaker,
        status=status,
        look=BREAKER_STATES[breaker.state],
        by_itself=BREAKER_STATES[breaker.computed_state] if held else None,
        why=why(newest[0]) if newest else "It has not changed since it came into being.",
        in_a_row=_in_a_row(status, machine.config.max_failures),
        failed=_failed(status),
        may_probe_at=datetime.fromtimestamp(status.may_probe_at, UTC)
        if waits and status.may_probe_at
        else None,
        transitions=tuple(transition(event) for event in newest),
    )


def transition(event: BreakerEvent) -> TransitionView:
    before, after = BREAKER_STATES[event.from_state], BREAKER_STATES[event.to_state]
    return TransitionView(event, before, after, why(event), bool(event.actor))


def _in_a_row(status: BreakerStatus, limit: int) -> str:
    if status.consecutive_failures == 0:
        return ""
    if limit == 0:
        return f"{plural(status.consecutive_failures, 'failure')} in a row"
    return f"{status.consecutive_failures} of {plural(limit, 'failure')} in a row"


def _failed(status: BreakerStatus) -> str:
    if not status.calls:
        return "no call in the window"
    if not status.failures and status.calls == 1:
        return "the one call in the window did not fail"
    if not status.failures:
        return f"none of the last {plural(status.calls, 'call')} failed"
    figures = f"{status.failures} of the last {plural(status.calls, 'call')} failed"
    return figures if status.failure_rate is None else f"{figures} ({share(status.failure_rate / 100)})"
