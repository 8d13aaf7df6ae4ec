"""What the jobs and processes say about themselves."""

from django.db import models


class HealthSnapshot(models.Model):
    class Status(models.TextChoices):
        HEALTHY = "healthy"
        DEGRADED = "degraded"
        UNHEALTHY = "unhealthy"

    at = models.DateTimeField(unique=True)
    status = models.CharField(max_length=9, choices=Status)
    components = models.JSONField(help_text="{name: {status, reason, metrics, since}}")

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.status} at {self.at:%Y-%m-%d %H:%M:%S}"


class ComponentState(models.Model):
    """How a component stands now: its verdicts, steadied (observability/hysteresis.py). `all` is the whole."""

    WHOLE = "all"

    name = models.CharField(max_length=100, primary_key=True)
    status = models.CharField(max_length=9, choices=HealthSnapshot.Status)
    since = models.DateTimeField()
    reason = models.TextField()
    metrics = models.JSONField(default=dict, blank=True)
    checked_at = models.DateTimeField()
    better_status = models.CharField(max_length=9, choices=HealthSnapshot.Status, blank=True)
    better_since = models.DateTimeField(
        null=True, blank=True, help_text="its verdicts are better since then; not believed yet"
    )
    worse_looks = models.PositiveIntegerField(
        default=0, help_text="verdicts in a row that are worse; not believed yet"
    )

    passes = models.BooleanField(default=False, help_text="over as soon as a look says so")

    class Meta:
        ordering = ("name",)
        permissions = (("operate_health", "Can have health checked at once"),)

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"


class HealthTransition(models.Model):
    """A component, or the whole, became better or worse; or unknown, where nobody looked for a while."""

    UNKNOWN = "unknown"
    STATUSES = (*HealthSnapshot.Status.choices, (UNKNOWN, "Unknown"))

    component = models.CharField(max_length=100)
    before = models.CharField(max_length=9, choices=STATUSES)
    after = models.CharField(max_length=9, choices=STATUSES)
    reason = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["component", "-id"], name="health_transition_component"),
            models.Index(fields=["at"], name="health_transition_at"),
        )

    def __str__(self) -> str:
        return f"{self.component}: {self.before} -> {self.after}"


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
