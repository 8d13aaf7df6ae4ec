"""All that the page of health shows, read at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.health_timeline import MOST_TRANSITIONS, draw_health
from dashboard.state_timeline import SPAN, Timeline
from dashboard.words import HEALTH, Look, count, duration, share, size
from featurememory.models import ComponentState, HealthTransition, ProcessRecord
from featurememory.observability.health import SEEN_WITHIN
from featurememory.observability.health_snapshot import COMPONENTS, STALE_AFTER

HISTORY_SHOWN = 30
PROCESSES_FOR = timedelta(hours=1)
_FORMATS = (("_ms", duration), ("_bytes", size), ("_fill", share), ("_share", share))
_ENDINGS = ("_p50", "_p99")


@dataclass(frozen=True, slots=True)
class ComponentRow:
    state: ComponentState
    look: Look
    figures: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        return self.state.name.replace(" ", "-")

    @property
    def is_getting_better(self) -> bool:
        return self.state.better_since is not None and self.look is not HEALTH["unknown"]


EXPORTED_COMPONENTS: Columns[ComponentRow] = {
    "component": lambda row: row.state.name,
    "status": lambda row: row.state.status,
    "is_known": lambda row: row.look is not HEALTH["unknown"],
    "reason": lambda row: row.state.reason,
    "since": lambda row: row.state.since,
    "checked_at": lambda row: row.state.checked_at,
    "metrics": lambda row: row.state.metrics,
}
EXPORTED_HISTORY: Columns[HealthTransition] = {
    "id": lambda move: move.pk,
    "at": lambda move: move.at,
    "component": lambda move: move.component,
    "before": lambda move: move.before,
    "after": lambda move: move.after,
    "reason": lambda move: move.reason,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One transition as the list shows it."""

    transition: HealthTransition
    before: Look
    after: Look

    @property
    def title(self) -> str:
        name = self.transition.component
        return "All" if name == ComponentState.WHOLE else name.capitalize()


@dataclass(frozen=True, slots=True)
class ProcessRow:
    record: ProcessRecord
    look: Look


@dataclass(frozen=True, slots=True)
class HealthPage:
    whole: ComponentRow | None
    """None before the first look."""
    components: tuple[ComponentRow, ...]
    timeline: Timeline
    moves: tuple[Move, ...]
    older: int | None
    """The transition from which the list goes on, on another page."""
    processes: tuple[ProcessRow, ...]


def read_health_page(component: str, before: int | None, now: datetime) -> HealthPage:
    """Four queries. `component` narrows the list of transitions, `before` has it begin earlier than that one."""
    rows = list_components(now)
    moves = _moves(component, before)
    return HealthPage(
        whole=next((row for row in rows if row.state.name == ComponentState.WHOLE), None),
        components=tuple(row for row in rows if row.state.name != ComponentState.WHOLE),
        timeline=_timeline(rows, now),
        moves=tuple(moves[:HISTORY_SHOWN]),
        older=moves[HISTORY_SHOWN - 1].transition.pk if len(moves) > HISTORY_SHOWN else None,
        processes=tuple(_processes(now)),
    )


def list_components(now: datetime) -> list[ComponentRow]:
    """The whole first; one query."""
    states = {row.name: row for row in ComponentState.objects.all()}
    return [_row(states[name], now) for name in (ComponentState.WHOLE, *COMPONENTS) if name in states]


def read_timeline(now: datetime) -> Timeline:
    """Two queries."""
    return _timeline(list_components(now), now)


def _timeline(rows: Sequence[ComponentRow], now: datetime) -> Timeline:
    day = HealthTransition.objects.filter(at__gt=now - SPAN).order_by("-at", "-id")[:MOST_TRANSITIONS]
    return draw_health([row.state for row in rows], list(day), now)


def exported_history(component: str) -> Iterator[HealthTransition]:
    """The newest transitions; one query."""
    return _transitions(component)[:MOST_ROWS].iterator(AT_ONCE)


def _row(state: ComponentState, now: datetime) -> ComponentRow:
    is_known = now - state.checked_at <= STALE_AFTER
    return ComponentRow(
        state, HEALTH[state.status] if is_known else HEALTH["unknown"], figures_of(state.metrics)
    )


def figures_of(metrics: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(name, value) in words. A figure's name says its unit: `commit_ms_p99`, `size_bytes`, `queue_fill`."""
    return tuple((_name(key), _value(key, value)) for key, value in metrics.items())


def _name(key: str) -> str:
    for unit, _ in _FORMATS[:2]:
        key = key.replace(unit, "")
    return key.removesuffix("_s").replace("_", " ")


def _value(key: str, value: object) -> str:
    if not isinstance(value, int | float):
        return "–" if value is None else str(value)
    stem = key
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    if stem.endswith("_s"):
        return duration(value * 1_000)
    for unit, in_words in _FORMATS:
        if stem.endswith(unit):
            return in_words(value)
    return count(value)


def _moves(component: str, before: int | None) -> Sequence[Move]:
    rows = _transitions(component)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [Move(each, HEALTH[each.before], HEALTH[each.after]) for each in rows[: HISTORY_SHOWN + 1]]


def _transitions(component: str) -> QuerySet[HealthTransition]:
    """Of one component, or of any; the newest first."""
    rows = HealthTransition.objects.order_by("-id")
    return rows.filter(component=component) if component else rows


def _processes(now: datetime) -> list[ProcessRow]:
    rows = ProcessRecord.objects.filter(seen_at__gte=now - PROCESSES_FOR).order_by("-seen_at", "host", "pid")
    return [ProcessRow(row, _LIVES if now - row.seen_at <= SEEN_WITHIN else _SILENT) for row in rows]


_LIVES = Look("Running", "check", "ok")
_SILENT = Look("Silent", "warning", "warn")
