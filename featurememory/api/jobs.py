"""Jobs: what the schedule runs, how it went, and a run at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Schema, Status
from pydantic import Field

import featurememory.jobs  # noqa: F401 - which puts them on the schedule
from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import StorableText
from featurememory.models import JobRun
from featurememory.scheduling.board import Posted, read_jobs
from featurememory.scheduling.due import Stage
from featurememory.scheduling.requests import ask_for_run

router = Router()


class JobView(Schema):
    name: str
    purpose: str
    every_s: float
    stage: Stage
    outlook: str = Field(description="The same in words.")
    due_at: datetime = Field(description="The next run; of a job that is running, the one after it.")
    started_at: datetime | None = Field(description="The last run.")
    ended_at: datetime | None
    duration_ms: float | None
    result: str = Field(description="`succeeded`, `failed`, or empty before the first run has ended.")
    was_asked_for: bool = Field(description="The last run, by somebody.")
    succeeded_at: datetime | None
    failed_at: datetime | None
    error: str = Field(description="Of the last failure, however long ago.")
    failures_in_a_row: int
    failures: int
    runs: int
    interruptions: int = Field(description="Runs whose worker was gone before they ended.")
    retry_at: datetime | None
    run_by: str = Field(description="The worker that runs it now, or was the last to and is gone.")


class JobPage(Schema):
    items: list[JobView]
    next_cursor: str | None


class RunView(Schema):
    id: int
    job: str
    status: str = Field(json_schema_extra={"enum": list(JobRun.Status.values)})
    asked_at: datetime | None
    asked_by: str
    reason: str


class RunBody(Schema):
    reason: Reason
    request_id: UUID | None = Field(
        None, description="Given again with the same id it is the same run, not another."
    )


@router.get("", auth=ScopedKey("read"), response={200: JobPage, **refusals(401, 403)}, summary="List jobs")
def list_jobs(request: HttpRequest) -> dict[str, Any]:
    """All of them, with their last run and their next."""
    return {"items": [_view(each) for each in read_jobs(timezone.now())], "next_cursor": None}


@router.post(
    "/{name}/run", auth=ScopedKey("control"), response={202: RunView, **refusals(400, 401, 403, 404, 422, 503)},
    summary="Run a job at once",
)  # fmt: skip
def run_job_at_once(request: HttpRequest, name: Path[StorableText], body: RunBody) -> Status[JobRun]:
    """Sends it to the worker, which begins when it has a hand free; nothing is run twice at a time."""
    run = ask_for_run(
        name,
        actor=actor_of(request),
        reason=body.reason,
        now=timezone.now(),
        request_id=body.request_id,
    )
    return Status(202, run)


def _view(posted: Posted) -> dict[str, Any]:
    row = posted.row
    same = (
        "name", "every_s", "started_at", "ended_at", "duration_ms", "result", "was_asked_for", "succeeded_at",
        "failed_at", "error", "failures_in_a_row", "failures", "runs", "interruptions", "retry_at",
    )  # fmt: skip
    return {name: getattr(row, name) for name in same} | {
        "purpose": posted.job.purpose,
        "stage": posted.ahead.stage,
        "outlook": posted.ahead.words,
        "due_at": posted.ahead.due_at,
        "run_by": row.lease_owner,
    }
