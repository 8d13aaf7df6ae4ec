"""Jobs and their runs as pages show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.words import JOB_RESULTS, Look, duration
from featurememory.models import Job, JobRun
from featurememory.scheduling.board import Posted, read_jobs
from featurememory.scheduling.due import Stage

RUNS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class JobRow:
    posted: Posted
    look: Look

    @property
    def row(self) -> Job:
        return self.posted.row

    @property
    def title(self) -> str:
        return self.row.seen.title.capitalize()

    @property
    def every(self) -> str:
        return duration(self.row.every_s * 1_000)

    @property
    def is_overdue(self) -> bool:
        return self.posted.ahead.stage is Stage.OVERDUE

    @property
    def is_running(self) -> bool:
        return self.posted.ahead.stage is Stage.RUNNING


@dataclass(frozen=True, slots=True)
class RunRow:
    run: JobRun
    look: Look

    @property
    def title(self) -> str:
        return self.run.job.replace("_", " ").capitalize()

    @property
    def at(self) -> datetime | None:
        """When it was last heard of."""
        return self.run.ended_at or self.run.started_at or self.run.asked_at


EXPORTED: Columns[JobRow] = {
    "name": lambda job: job.row.name,
    "stage": lambda job: job.posted.ahead.stage,
    "every_s": lambda job: job.row.every_s,
    "result": lambda job: job.row.result,
    "started_at": lambda job: job.row.started_at,
    "ended_at": lambda job: job.row.ended_at,
    "duration_ms": lambda job: job.row.duration_ms,
    "due_at": lambda job: job.posted.ahead.due_at,
    "runs": lambda job: job.row.runs,
    "failures": lambda job: job.row.failures,
    "failures_in_a_row": lambda job: job.row.failures_in_a_row,
    "interruptions": lambda job: job.row.interruptions,
    "failed_at": lambda job: job.row.failed_at,
    "error": lambda job: job.row.error,
    "asked_for_by": lambda job: job.posted.waiting.asked_by if job.posted.waiting else "",
}
EXPORTED_RUNS: Columns[JobRun] = {
    "id": lambda run: run.pk,
    "job": lambda run: run.job,
    "status": lambda run: run.status,
    "asked_at": lambda run: run.asked_at,
    "asked_by": lambda run: run.asked_by,
    "reason": lambda run: run.reason,
    "started_at": lambda run: run.started_at,
    "ended_at": lambda run: run.ended_at,
    "duration_ms": lambda run: run.duration_ms,
    "error": lambda run: run.error,
}


@dataclass(frozen=True, slots=True)
class RunList:
    rows: tuple[RunRow, ...]
    older: int | None
    """The run from which the list goes on, on another page."""


def list_jobs(now: datetime) -> list[JobRow]:
    """Two queries."""
    return [JobRow(each, look_of(each)) for each in read_jobs(now)]


def look_of(posted: Posted) -> Look:
    """What is most worth knowing of it."""
    if posted.ahead.stage is not Stage.WAITING:
        return JOB_RESULTS[posted.ahead.stage]
    return JOB_RESULTS[posted.row.result or "never"]


def list_runs(before: int | None) -> RunList:
    """Those that failed or were asked for, the newest first; one query."""
    rows = JobRun.objects.order_by("-id")
    found = list((rows if before is None else rows.filter(pk__lt=before))[: RUNS_SHOWN + 1])
    shown = tuple(RunRow(each, JOB_RESULTS[each.status]) for each in found[:RUNS_SHOWN])
    return RunList(shown, shown[-1].run.pk if len(found) > RUNS_SHOWN else None)


def exported_runs() -> Iterator[JobRun]:
    """The newest of them; one query."""
    return JobRun.objects.order_by("-id")[:MOST_ROWS].iterator(AT_ONCE)
