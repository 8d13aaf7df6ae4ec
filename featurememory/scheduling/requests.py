"""A run of a job that somebody asks for: audited, kept, and sent to the worker."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import transaction
from kombu.exceptions import OperationalError

from featurememory.audit import was_done
from featurememory.errors import FeatureMemoryError
from featurememory.models import AuditEntry, Job, JobRun
from featurememory.reasons import checked_reason
from featurememory.scheduling.schedule import JOBS

logger = logging.getLogger(__name__)

PERMISSION = "featurememory.run_job"


class UnknownJob(FeatureMemoryError):
    """The schedule has no such job."""

    code: ClassVar[str] = "unknown_job"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no job {name!r}; there are {', '.join(JOBS)}.", name=name)


class BrokerAway(FeatureMemoryError):
    """The run could not be sent to the worker."""

    code: ClassVar[str] = "broker_away"


def ask_for_run(
    name: str, *, actor: str, reason: str, now: datetime, request_id: UUID | None = None
) -> JobRun:
    """Has the worker run the job as soon as it can; given again with the same `request_id` it does nothing, unless the
    run could not be sent then. UnknownJob; ValidationError without a reason; BrokerAway, after which the audit says
    that it was asked for and the run that it was not sent."""
    if name not in JOBS:
        raise UnknownJob(name)
    run = _kept(name, actor, checked_reason(reason), now, request_id)
    if run.status == JobRun.Status.UNSENT:
        _send(run)
    return run


def _kept(name: str, actor: str, reason: str, now: datetime, request_id: UUID | None) -> JobRun:
    with transaction.atomic():
        if was_done(request_id):
            return JobRun.objects.get(request_id=request_id)
        run = JobRun.objects.create(
            job=name,
            status=JobRun.Status.UNSENT,
            asked_at=now,
            asked_by=actor,
            reason=reason,
            request_id=request_id,
        )
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="job.run",
            subject=name,
            reason=reason,
            before=_last_run(name),
            after={"run": run.pk},
            request_id=request_id,
        )
    return run


def _last_run(name: str) -> dict[str, str]:
    row = Job.objects.filter(name=name).first()
    if row is None or row.started_at is None:
        return {}
    return {"last_started_at": row.started_at.isoformat(), "last_result": row.result}


def _send(run: JobRun) -> None:
    """The worker may be faster than this: only a run that nobody has begun is said to wait."""
    from featurememory.celery import app

    unsent = JobRun.objects.filter(pk=run.pk, status=JobRun.Status.UNSENT)
    unsent.update(status=JobRun.Status.WAITING)
    try:
        app.send_task(JOBS[run.job].task, kwargs={"asked": run.pk}, retry=False)
    except (OperationalError, OSError) as failure:
        logger.warning("%s could not be sent to the worker: %s", run.job, failure)
        JobRun.objects.filter(pk=run.pk, status=JobRun.Status.WAITING).update(
            status=JobRun.Status.UNSENT, error=f"The broker does not answer: {failure}"[:2_000]
        )
        raise BrokerAway(
            f"The job {run.job} was not sent: the broker between web and worker does not answer ({failure}). "
            "Ask again once it does.",
            job=run.job,
        ) from failure
    run.refresh_from_db()
