"""Judging health: plain functions from what was seen to a verdict with its reason in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from featurememory.resource_management.readings import Reading
from featurememory.scheduling.due import JobSeen, Stage, look_ahead, spell


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


BADNESS = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2}

ROLES = ("web", "worker", "beat")
SEEN_WITHIN = timedelta(seconds=30)
"""A process that has not been heard of for longer is taken for gone."""
RESTARTED_WITHIN = timedelta(minutes=10)
QUEUE_DEGRADED, QUEUE_UNHEALTHY = 0.5, 0.9
LIVE_SILENT_S = 15.0
COMMIT_DEGRADED_MS, COMMIT_UNHEALTHY_MS = 250.0, 2_000.0
RECOGNITION_DEGRADED_MS = 50.0
UNTOLD_AFTER = timedelta(minutes=5)
"""A message that waits for longer might as well not be sent."""
FAILING_AFTER = 2
"""Failures in a row: one alone is what retries are for."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component's verdict, why, and the figures behind it."""

    status: Status
    reason: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    jitters: bool = False
    """One look at such figures is too few to believe that it is worse (hysteresis.py)."""
    passes: bool = False
    """It is over as soon as a look says so: what starts is not ill."""


@dataclass(frozen=True, slots=True)
class PatternsSeen:
    """The memory of patterns: how many each calibrated space holds, and what limits them."""

    patterns: Mapping[str, int]
    waiting: Mapping[str, int]
    """Vectors of the spaces that are not calibrated yet."""
    max_spaces: int
    max_patterns: int


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """What a channel in use has still to be told of alerts."""

    name: str
    has_route: bool
    waiting: int = 0
    oldest_at: datetime | None = None
    """When the message that waits longest was written."""
    given_up: int = 0
    """Lately."""
    error: str = ""
    """Of the last attempt, where that failed."""


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


def overall(statuses: Iterable[Status]) -> Status:
    """The worst decides the whole."""
    return max(statuses, key=BADNESS.__getitem__, default=Status.UNHEALTHY)


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
        return Component(Status.UNHEALTHY, f"Commits take up to {commit:,.0f} ms.", figures, jitters=True)
    if fill >= QUEUE_DEGRADED:
        return Component(Status.DEGRADED, f"The queue is {fill:.0%} full.", figures)
    if commit >= COMMIT_DEGRADED_MS:
        return Component(Status.DEGRADED, f"Commits take up to {commit:,.0f} ms.", figures, jitters=True)
    return Component(Status.HEALTHY, "Operations are stored as they come.", figures)


def judge_database(write_ms: float | None, failure: str, size_bytes: int | None) -> Component:
    """A probing write: how long it took, or why it failed."""
    figures = {"write_ms": write_ms and round(write_ms, 1), "size_bytes": size_bytes}
    if write_ms is None:
        return Component(Status.UNHEALTHY, f"The database takes no writes: {failure}", figures)
    if write_ms >= COMMIT_UNHEALTHY_MS:
        return Component(Status.DEGRADED, f"A small write took {write_ms:,.0f} ms.", figures, jitters=True)
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
            return Component(Status.DEGRADED, f"Starting: {named} not heard of yet.", figures, passes=True)
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


def judge_jobs(processes: Sequence[ProcessSeen], jobs: Sequence[JobSeen], now: datetime) -> Component:
    """Those that run the jobs, and the jobs themselves; the worse of the two, what runs them first."""
    running, schedule = judge_processes(processes, now), judge_schedule(jobs, now)
    figures = {**running.metrics, **schedule.metrics}
    worse = running if BADNESS[running.status] >= BADNESS[schedule.status] else schedule
    reason = worse.reason
    if Status.HEALTHY not in (running.status, schedule.status):
        reason = f"{running.reason} {schedule.reason}"
    return Component(worse.status, reason, figures, passes=worse.passes)


def judge_schedule(jobs: Sequence[JobSeen], now: datetime) -> Component:
    """Whether jobs run when they should, and get through."""
    overdue = {each.title: look_ahead(each, now).words for each in jobs if _is_overdue(each, now)}
    failing = [each for each in jobs if each.failures_in_a_row >= FAILING_AFTER]
    figures = {"jobs": len(jobs), "overdue": len(overdue), "failing": len(failing)}
    said = [f"{title.capitalize()}: {words}" for title, words in overdue.items()]
    said += [
        f"{each.title.capitalize()} failed {each.failures_in_a_row} times in a row: {_short(each.error)}"
        for each in failing
    ]
    if not said:
        return Component(Status.HEALTHY, "Jobs run when they should.", figures)
    status = Status.UNHEALTHY if len(overdue) == len(jobs) else Status.DEGRADED
    rest = f" And {len(said) - 3} more." if len(said) > 3 else ""
    return Component(status, " ".join(said[:3]) + rest, figures)


def judge_pattern_index(seen: PatternsSeen, processes: Sequence[ProcessSeen], now: datetime) -> Component:
    """How full it is, and how long recognition takes. A full space is no fault: its least useful patterns make room."""
    web = [each.metrics for each in _living(processes, now) if each.role == "web"]
    p99 = max((each.get("recognition_ms_p99") or 0.0 for each in web), default=0.0)
    total = sum(seen.patterns.values())
    full = [name for name, number in seen.patterns.items() if number >= seen.max_patterns]
    spaces = len(seen.patterns) + len(seen.waiting)
    figures = {
        "spaces": spaces,
        "patterns": total,
        "max_patterns": seen.max_patterns,
        "waiting": len(seen.waiting),
        "recognition_ms_p99": round(p99, 2) if p99 else None,
        "recognitions": sum(each.get("recognitions") or 0 for each in web),
    }
    if p99 >= RECOGNITION_DEGRADED_MS:
        return Component(Status.DEGRADED, f"Recognition takes up to {p99:,.0f} ms.", figures, jitters=True)
    if spaces >= seen.max_spaces:
        reason = f"There are {spaces:,} feature spaces, as many as there may be: no new one is taken."
        return Component(Status.DEGRADED, reason, figures)
    said = [f"{total:,} patterns in {len(seen.patterns):,} spaces" if spaces else "No feature space yet"]
    if seen.waiting:
        said.append(f"{len(seen.waiting):,} waiting for enough vectors to be calibrated")
    if full:
        said.append(f"{len(full):,} full, where the least useful patterns make room for new ones")
    return Component(Status.HEALTHY, f"{'; '.join(said)}.", figures)


def judge_resources(used: Sequence[Reading], near: float) -> Component:
    """Whether something is used up, or comes near its limit: from the share `near` on cleanup should have made room.
    What refuses operations beyond its limit is unhealthy there; what cleanup keeps is degraded until it has."""
    figures = {f"{each.constraint}_share": round(each.share, 4) for each in used}
    worst = sorted(used, key=lambda each: -each.share)
    refusing = [each for each in worst if each.refuses and each.share >= 1]
    if refusing:
        said = ". ".join(each.words for each in refusing)
        return Component(Status.UNHEALTHY, f"{said}: new operations are refused.", figures)
    if close := [each for each in worst if each.share >= near]:
        return Component(Status.DEGRADED, ". ".join(each.words for each in close) + ".", figures)
    return Component(Status.HEALTHY, "There is room.", figures)


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


def judge_notification(channels: Sequence[ChannelSeen], now: datetime) -> Component:
    """Whether people hear of alerts. That nobody wants to is no illness, but is said."""
    figures = {
        "channels": len(channels),
        "waiting": sum(each.waiting for each in channels),
        "given_up": sum(each.given_up for each in channels),
    }
    if not channels:
        return Component(Status.HEALTHY, "Nobody is told: no channel is set up.", figures)
    late = [each for each in channels if each.oldest_at is not None and now - each.oldest_at > UNTOLD_AFTER]
    if late:
        longest = max(late, key=lambda each: now - (each.oldest_at or now))
        waits = spell(now - (longest.oldest_at or now))
        said = _short(longest.error) if longest.error else "Nobody sends them."
        named = " and ".join(sorted(each.name for each in late)[:3])
        return Component(Status.UNHEALTHY, f"Not told for {waits}: {named}. {said}", figures)
    failing = [each for each in channels if each.error]
    if failing:
        return Component(
            Status.DEGRADED, f"{failing[0].name} is tried again: {_short(failing[0].error)}", figures
        )
    if given_up := [each for each in channels if each.given_up]:
        return Component(
            Status.DEGRADED, f"{given_up[0].name} was not told of everything: it was given up.", figures
        )
    if not any(each.has_route for each in channels):
        return Component(Status.HEALTHY, "Nobody is told: no route leads to a channel.", figures)
    return Component(Status.HEALTHY, "Whoever is to be told is told.", figures)


def _living(processes: Iterable[ProcessSeen], now: datetime) -> list[ProcessSeen]:
    return [each for each in processes if now - each.seen_at <= SEEN_WITHIN]


def _is_overdue(job: JobSeen, now: datetime) -> bool:
    return look_ahead(job, now).stage is Stage.OVERDUE


def _short(error: str, most: int = 120) -> str:
    line = error.splitlines()[0] if error else "no message"
    return f"{line[: most - 1]}…" if len(line) > most else line.rstrip(".") + "."
