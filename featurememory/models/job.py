"""The jobs of the schedule, and those of their runs that somebody may ask about."""

from __future__ import annotations

from datetime import timedelta

from django.db import models

from featurememory.scheduling.due import JobSeen


class Job(models.Model):
    """One job: its last run, its last failure, and who runs it now (scheduling/runs.py)."""

    class Result(models.TextChoices):
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    name = models.CharField(max_length=100, primary_key=True)
    every_s = models.FloatField()
    known_since = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.FloatField(null=True, blank=True)
    result = models.CharField(
        max_length=9, choices=Result, blank=True, help_text="of the last run that ended"
    )
    was_asked_for = models.BooleanField(default=False, help_text="the last run, by an administrator")
    succeeded_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="of the last failure")
    failures_in_a_row = models.PositiveIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    runs = models.PositiveBigIntegerField(default=0)
    interruptions = models.PositiveBigIntegerField(
        default=0, help_text="runs whose worker was gone before they ended"
    )
    retry_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=250, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)
        permissions = (("run_job", "Can have a job run at once"),)

    def __str__(self) -> str:
        return self.name

    @property
    def seen(self) -> JobSeen:
        """As the plain logic takes it."""
        return JobSeen(
            name=self.name,
            every=timedelta(seconds=self.every_s),
            known_since=self.known_since,
            started_at=self.started_at,
            ended_at=self.ended_at,
            failures_in_a_row=self.failures_in_a_row,
            error=self.error,
            retry_at=self.retry_at,
            leased_until=self.leased_until,
        )


class JobRun(models.Model):
    """A run that failed, or that an administrator asked for; all others would be 40,000 rows a day."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        UNSENT = "unsent"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        SKIPPED = "skipped"

    job = models.CharField(max_length=100)
    status = models.CharField(max_length=9, choices=Status)
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_by = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=1_000, blank=True)
    request_id = models.UUIDField(null=True, blank=True, unique=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.FloatField(null=True, blank=True)
    error = models.TextField(blank=True)
    worker = models.CharField(max_length=250, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["job", "-id"], name="job_run_job"),
            models.Index(fields=["ended_at"], name="job_run_ended"),
        )

    def __str__(self) -> str:
        return f"{self.job} {self.status}"
