"""All that the page of one breaker shows, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from dashboard.breaker_figures import Figure, figures
from dashboard.breaker_history import TransitionView, computed, view_transition
from dashboard.breaker_layers import HeldValue, held_values
from dashboard.breaker_rows import BreakerRow, show
from dashboard.breaker_timeline import MOST_EVENTS, draw_timeline
from dashboard.state_timeline import Timeline
from dashboard.words import BREAKER_STATES, Look
from featurememory.circuit_breaker.configuration import Layers
from featurememory.live.followers import connected_followers
from featurememory.models import Breaker, BreakerConfiguration, BreakerEvent, LocalTransition

HISTORY_SHOWN = 30
LOCAL_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LocalMove:
    """What one process reported of its own breaker."""

    told: LocalTransition
    before: Look
    after: Look


@dataclass(frozen=True, slots=True)
class BreakerPage:
    row: BreakerRow
    figures: tuple[Figure, ...]
    computed_by: TransitionView | None
    """The last change of what it computes by itself."""
    timeline: Timeline
    history: tuple[TransitionView, ...]
    older: int | None
    """The sequence from which the history goes on, on another page."""
    local: tuple[LocalMove, ...]
    settings: tuple[HeldValue, ...]
    """What differs from the defaults."""


def read_breaker_page(breaker: Breaker, before: int | None, now: datetime) -> BreakerPage:
    """Five queries, one more with `before`: the history then begins earlier than that sequence."""
    events = BreakerEvent.objects.filter(breaker=breaker).order_by("-sequence")
    newest = list(events[: MOST_EVENTS + 1])
    act = events.exclude(actor="").first()
    row = show(breaker, newest[:1], act, connected_followers(now), now)
    shown = newest if before is None else list(events.filter(sequence__lt=before)[: HISTORY_SHOWN + 1])
    return BreakerPage(
        row=row,
        figures=figures(row.status, row.config),
        computed_by=next((view_transition(event) for event in newest if computed(event)), None),
        timeline=draw_timeline(breaker, newest, now),
        history=tuple(view_transition(event) for event in shown[:HISTORY_SHOWN]),
        older=shown[HISTORY_SHOWN - 1].sequence if len(shown) > HISTORY_SHOWN else None,
        local=_local_moves(LocalTransition.objects.filter(name=breaker.name)),
        settings=held_values(_layers_over(breaker), breaker),
    )


def read_timeline(breaker: Breaker, now: datetime) -> Timeline:
    """One query."""
    events = BreakerEvent.objects.filter(breaker=breaker).order_by("-sequence")
    return draw_timeline(breaker, list(events[: MOST_EVENTS + 1]), now)


def read_row(breaker: Breaker, now: datetime) -> BreakerRow:
    """As the list shows it; three queries."""
    events = BreakerEvent.objects.filter(breaker=breaker).order_by("-sequence")
    return show(breaker, list(events[:1]), events.exclude(actor="").first(), connected_followers(now), now)


def _layers_over(breaker: Breaker) -> Layers:
    """What is set for all breakers, for its operation type and for itself; not what is set for others."""
    scope = BreakerConfiguration.Scope
    meant = Q(scope=scope.DEFAULT) | Q(scope=scope.OPERATION_TYPE, name=breaker.operation_type)
    return Layers(BreakerConfiguration.objects.filter(meant | Q(scope=scope.BREAKER, name=breaker.name)))


def _local_moves(told: QuerySet[LocalTransition]) -> tuple[LocalMove, ...]:
    newest = told.order_by("-received_at", "-number")[:LOCAL_SHOWN]
    return tuple(
        LocalMove(each, BREAKER_STATES[each.from_state], BREAKER_STATES[each.to_state]) for each in newest
    )


def read_place(given: Mapping[str, str]) -> int | None:
    """`?before=` of the history; None where it makes no sense."""
    before = given.get("before", "")
    return int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
