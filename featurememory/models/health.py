"""What the jobs and processes say about themselves."""

from django.db import models


class HealthSnapshot(models.Model):
    class Status(models.TextChoices):
        HEALTHY = "healthy"
        DEGRADED = "degraded"
        UNHEALTHY = "unhealthy"

    at = models.DateTimeField(unique=True)
    status = models.CharField(max_length=9, choices=Status)
    components = models.JSONField(help_text="{name: {status, reason, metrics}}")

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.status} at {self.at:%Y-%m-%d %H:%M:%S}"


class ProcessRecord(models.Model):
    """One process of this installation: what it is, since when, and that it still lives.

    Web processes report their ingestion queue here, so that any process can show all of them.
    """

    class Role(models.TextChoices):
        WEB = "web"
        WORKER = "worker"
        BEAT = "beat"

    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    role = models.CharField(max_length=6, choices=Role)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    restarts = models.PositiveIntegerField(default=0, help_text="how often the supervisor started it again")
    last_exit = models.CharField(max_length=100, blank=True, help_text="how its predecessor ended")
    metrics = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["host", "pid", "role", "started_at"], name="process_once"),
        )

    def __str__(self) -> str:
        return f"{self.role} {self.host}:{self.pid}"
