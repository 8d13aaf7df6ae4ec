"""What a breaker did, as pages tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db.models import OuterRef, QuerySet, Subquery

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.status import why
from dashboard.words import BREAKER_STATES, Look
from featurememory.models import Breaker, BreakerEvent

LAST_TRANSITIONS = 5
_HOLDS = ("forced_open", "disabled", "metrics_only", "released", "overlay_ended")
"""Causes that move what callers meet and leave the computed state as it is."""
EXPORTED: Columns[BreakerEvent] = {
    "sequence": lambda event: event.sequence,
    "at": lambda event: event.at,
    "from_state": lambda event: event.from_state,
    "to_state": lambda event: event.to_state,
    "computed_state": lambda event: event.computed_state,
    "cause": lambda event: event.cause,
    "message": lambda event: event.message,
    "actor": lambda event: event.actor,
    "reason": lambda event: event.reason,
    "counts": lambda event: event.counts,
    "retry_after_ms": lambda event: event.retry_after_ms,
    "held_until": lambda event: event.overlay_until,
}


@dataclass(frozen=True, slots=True)
class TransitionView:
    """`by_itself` is what it computed then, where an operator held it."""

    event: BreakerEvent
    before: Look
    after: Look
    by_itself: Look | None
    why: str


def view_transition(event: BreakerEvent) -> TransitionView:
    held = event.computed_state != event.to_state
    return TransitionView(
        event=event,
        before=BREAKER_STATES[event.from_state],
        after=BREAKER_STATES[event.to_state],
        by_itself=BREAKER_STATES[event.computed_state] if held else None,
        why=why(event),
    )


def exported(breaker: Breaker) -> Iterator[BreakerEvent]:
    """The newest of its changes; one query."""
    return breaker.events.order_by("-sequence")[:MOST_ROWS].iterator(AT_ONCE)


def computed(event: BreakerEvent) -> bool:
    """Whether it moved the computed state, not only what an operator lays over it."""
    return event.cause not in _HOLDS


def with_newest_events(
    breakers: QuerySet[Breaker],
) -> list[tuple[Breaker, list[BreakerEvent], BreakerEvent | None]]:
    """Each with its latest events, newest first, and an operator's latest act; three queries.

    The events are looked up one by one in an index: breakers may have any number of them.
    """
    found = list(breakers)
    numbers = BreakerEvent.objects.filter(breaker=OuterRef("pk")).order_by("-sequence").values("sequence")
    newest = (Subquery(numbers[place : place + 1]) for place in range(LAST_TRANSITIONS))
    act = Subquery(numbers.exclude(actor="")[:1])
    rows = Breaker.objects.order_by().filter(pk__in=[breaker.pk for breaker in found])
    wanted = {pk: sequences for pk, *sequences in rows.values_list("pk", *newest, act)}
    events = BreakerEvent.objects.filter(sequence__in=set(chain.from_iterable(wanted.values())) - {None})
    known = {event.sequence: event for event in events}
    shown = []
    for breaker in found:
        *latest, last_act = wanted.get(breaker.pk, [None])
        shown.append((breaker, [known[each] for each in latest if each in known], known.get(last_act)))
    return shown
