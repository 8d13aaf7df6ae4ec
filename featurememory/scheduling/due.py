"""When a job's next run is due, whether it is overdue, and when one that failed is tried again: plain, from what is
known of a job and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST_RUN = timedelta(minutes=10)
"""A run that takes longer is taken for hanging: its lease is not renewed any more."""
LEAST_GRACE, MOST_GRACE = timedelta(seconds=30), timedelta(minutes=5)
RETRIED_FROM = timedelta(minutes=5)
"""Jobs that run more often have their next run for a retry."""
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(minutes=10)
MOST_RETRIES = 5


class Stage(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class JobSeen:
    """What is known of one job. `known_since`: when the schedule first held it."""

    name: str
    every: timedelta
    known_since: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failures_in_a_row: int = 0
    error: str = ""
    retry_at: datetime | None = None
    leased_until: datetime | None = None
    """Somebody runs it; once that is past, somebody did and is gone."""

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Outlook:
    """`due_at`: the next run; of one that is running, the one after it."""

    stage: Stage
    due_at: datetime
    words: str


def look_ahead(job: JobSeen, now: datetime) -> Outlook:
    """Where the job stands at `now`."""
    due_at = _due_at(job)
    is_running = job.leased_until is not None and job.leased_until > now
    if is_running and job.started_at is not None:
        lasts = now - job.started_at
        if lasts > LONGEST_RUN:
            return Outlook(Stage.OVERDUE, due_at, f"Has been running for {spell(lasts)}: it hangs.")
        return Outlook(Stage.RUNNING, due_at, "Is running.")
    late = now - due_at
    if late > _grace(job.every):
        began = "has not begun" if job.started_at else "never began"
        return Outlook(Stage.OVERDUE, due_at, f"Overdue for {spell(late)}: it {began}.")
    if job.leased_until is not None:
        return Outlook(Stage.WAITING, due_at, "Its last run was cut short; the next makes up for it.")
    if job.retry_at is not None and due_at == job.retry_at:
        return Outlook(Stage.WAITING, due_at, "Is tried again after its failure.")
    return Outlook(Stage.WAITING, due_at, "Waits for its time.")


def retry_after(failures_in_a_row: int, every: timedelta, draw: float) -> timedelta | None:
    """How long to wait before a failed job is tried again: exponential, with jitter from `draw` in [0, 1); None where
    its next scheduled run comes soon enough, or where it was tried often enough."""
    if every < RETRIED_FROM or not 1 <= failures_in_a_row <= MOST_RETRIES:
        return None
    doubled: timedelta = FIRST_RETRY * 2 ** (failures_in_a_row - 1)
    return min(doubled, LAST_RETRY, every / 2) * (0.5 + draw / 2)


def spell(span: timedelta) -> str:
    """In the unit that fits: "42 s", "7 min", "3 h"."""
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"


def _due_at(job: JobSeen) -> datetime:
    scheduled = (job.started_at or job.known_since) + job.every
    is_retried = job.retry_at is not None and (job.started_at is None or job.retry_at > job.started_at)
    return min(scheduled, job.retry_at) if is_retried and job.retry_at is not None else scheduled


def _grace(every: timedelta) -> timedelta:
    """A worker may be busy, or being started again."""
    return min(max(every, LEAST_GRACE), MOST_GRACE)
