"""Judging health: plain functions from what was seen to a verdict with its reason in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_BADNESS = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2}

ROLES = ("web", "worker", "beat")
SEEN_WITHIN = timedelta(seconds=30)
"""A process that has not been heard of for longer is taken for gone."""
RESTARTED_WITHIN = timedelta(minutes=10)
QUEUE_DEGRADED, QUEUE_UNHEALTHY = 0.5, 0.9
LIVE_SILENT_S = 15.0
COMMIT_DEGRADED_MS, COMMIT_UNHEALTHY_MS = 250.0, 2_000.0


@dataclass(frozen=True, slots=True)
class Component:
    """One component's verdict, why, and the figures behind it."""

    status: Status
    reason: str
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """What a process last said of itself."""

    role: str
    name: str
    """Host and process id: one process may have several roles."""
    started_at: datetime
    seen_at: datetime
    restarts: int
    last_exit: str
    metrics: Mapping[str, Any]


def overall(components: Iterable[Component]) -> Status:
    """The worst decides the whole."""
    return max(
        (component.status for component in components), key=_BADNESS.__getitem__, default=Status.UNHEALTHY
    )


def judge_ingestion(processes: Sequence[ProcessSeen], now: datetime) -> Component:
    """The writers' queues and how long their commits take."""
    writers = [each for each in _living(processes, now) if each.role == "web"]
    if not writers:
        return Component(Status.UNHEALTHY, f"No web process was heard of for {SEEN_WITHIN.seconds} s.")
    fill = max(each.metrics.get("queue_depth", 0) / each.metrics.get("queue_limit", 1) for each in writers)
    commit = max(each.metrics.get("commit_ms_p99") or 0.0 for each in writers)
    figures = {"writers": len(writers), "queue_fill": round(fill, 3), "commit_ms_p99": round(commit, 1)}
    if fill >= QUEUE_UNHEALTHY:
        return Component(Status.UNHEALTHY, f"The queue is {fill:.0%} full; senders are turned away.", figures)
    if commit >= COMMIT_UNHEALTHY_MS:
        return Component(Status.UNHEALTHY, f"Commits take up to {commit:,.0f} ms.", figures)
    if fill >= QUEUE_DEGRADED:
        return Component(Status.DEGRADED, f"The queue is {fill:.0%} full.", figures)
    if commit >= COMMIT_DEGRADED_MS:
        return Component(Status.DEGRADED, f"Commits take up to {commit:,.0f} ms.", figures)
    return Component(Status.HEALTHY, "Operations are stored as they come.", figures)


def judge_database(write_ms: float | None, failure: str, size_bytes: int | None) -> Component:
    """A probing write: how long it took, or why it failed."""
    figures = {"write_ms": write_ms and round(write_ms, 1), "size_bytes": size_bytes}
    if write_ms is None:
        return Component(Status.UNHEALTHY, f"The database takes no writes: {failure}", figures)
    if write_ms >= COMMIT_UNHEALTHY_MS:
        return Component(Status.DEGRADED, f"A small write took {write_ms:,.0f} ms.", figures)
    return Component(Status.HEALTHY, "Reads and writes.", figures)


def judge_processes(processes: Sequence[ProcessSeen], now: datetime) -> Component:
    """Whether all that should run does, and whether something had to be started again."""
    living = _living(processes, now)
    by_role = sorted(living, key=lambda each: ROLES.index(each.role), reverse=True)
    by_name = {each.name: each for each in by_role}  # of a process with several roles its first stays
    missing = [role for role in ROLES if role not in {each.role for each in living}]
    figures = {"living": len(by_name), "restarts": sum(each.restarts for each in by_name.values())}
    if missing:
        named = " and ".join(missing)
        if living and now - min(each.started_at for each in living) <= SEEN_WITHIN:
            return Component(Status.DEGRADED, f"Starting: {named} not heard of yet.", figures)
        return Component(Status.UNHEALTHY, f"Not heard of for {SEEN_WITHIN.seconds} s: {named}.", figures)
    again = [each for each in by_name.values() if each.restarts and now - each.started_at <= RESTARTED_WITHIN]
    if again:
        newest = max(again, key=lambda each: each.started_at)
        times = "once" if newest.restarts == 1 else f"{newest.restarts} times"
        why = f" ({newest.last_exit})" if newest.last_exit else ""
        return Component(
            Status.DEGRADED,
            f"{newest.role} {newest.name} had to be started again, {times} so far{why}; "
            f"last at {newest.started_at:%H:%M:%S} UTC.",
            figures,
        )
    return Component(Status.HEALTHY, "Web, worker and schedule are running.", figures)


def judge_breakers(states: Mapping[str, int]) -> Component:
    """How many breakers refuse calls, and how many an operator has disabled: those judge nothing."""
    refusing = states.get("open", 0) + states.get("forced_open", 0)
    probing = states.get("half_open", 0)
    disabled = states.get("disabled", 0)
    said = []
    if refusing:
        said.append(f"{refusing} {'breaker refuses' if refusing == 1 else 'breakers refuse'} calls")
    elif probing:
        said.append(f"{probing} {'breaker is' if probing == 1 else 'breakers are'} probing")
    status = Status.DEGRADED if said else Status.HEALTHY
    if disabled:
        said.append(f"{disabled} {'breaker is' if disabled == 1 else 'breakers are'} disabled")
    if status is Status.HEALTHY and states.get("closed"):
        said.append("the others are closed" if disabled else "All closed")
    return Component(
        status, f"{'; '.join(said) or ('None refuses calls' if states else 'None yet')}.", dict(states)
    )


def judge_live_bus(
    transport: str, failure: str, processes: Sequence[ProcessSeen], now: datetime
) -> Component:
    """Whether news travels at once, waits for the next look, or is not looked for any more."""
    silent_s = max((each.metrics.get("live_silent_s", 0.0) for each in _living(processes, now)), default=0.0)
    figures = {"transport": transport, "silent_s": silent_s}
    if silent_s >= LIVE_SILENT_S:
        return Component(Status.UNHEALTHY, f"Nobody has looked for live news for {silent_s:.0f} s.", figures)
    if failure:
        return Component(Status.DEGRADED, f"Live news comes late, by polling: {failure}", figures)
    return Component(Status.HEALTHY, f"News travels by {transport}.", figures)


def _living(processes: Iterable[ProcessSeen], now: datetime) -> list[ProcessSeen]:
    return [each for each in processes if now - each.seen_at <= SEEN_WITHIN]
