"""How much the memory may use, what it used, and what made room."""

from django.db import models
from django.db.models import Q


class ResourceSettings(models.Model):
    """The one row of constraints and retention that administrators have set; defaults stand for what it does not
    name."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    constraints = models.JSONField(default=dict, blank=True, help_text="resource_management/constraints.py")
    retention = models.JSONField(default=dict, blank=True, help_text="resource_management/retention.py")
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "resource settings"
        permissions = (("operate_limits", "Can change constraints and retention"),)
        constraints = (models.CheckConstraint(condition=Q(id=1), name="resource_settings_once"),)

    def __str__(self) -> str:
        return "constraints and retention"


class ResourceSample(models.Model):
    """What was used at one moment, or over a minute or an hour of such moments."""

    resolution = models.PositiveIntegerField(help_text="seconds that it stands for; 0: one moment")
    at = models.DateTimeField(help_text="when it begins")
    samples = models.PositiveIntegerField(default=1)
    figures = models.JSONField(help_text="{name: value}, of several moments {name: [mean, least, most]}")

    class Meta:
        ordering = ("-at",)
        constraints = (models.UniqueConstraint(fields=["resolution", "at"], name="resource_sample_once"),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


class CleanupRun(models.Model):
    """One time that room was made: why, what went, how much that freed, and what had to stay."""

    class Cause(models.TextChoices):
        SCHEDULE = "schedule", "the schedule"
        CONSTRAINT = "constraint", "a constraint"
        OPERATOR = "operator", "an operator"

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    cause = models.CharField(max_length=10, choices=Cause)
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    why = models.JSONField(default=list, help_text="what had passed its threshold or its age, in words")
    actor = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=1_000, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(
        null=True, blank=True, help_text="when it last said that it works; empty while nobody works on it"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    worked_s = models.FloatField(default=0, help_text="seconds of work, pauses for writers included")
    resumed = models.PositiveIntegerField(
        default=0, help_text="how often it went on after its process had gone"
    )
    removed = models.JSONField(default=dict, blank=True, help_text="{kind: rows}")
    kept = models.JSONField(default=dict, blank=True, help_text="{kind: rows that are pinned}")
    size_before = models.PositiveBigIntegerField(null=True, blank=True, help_text="of the database, in bytes")
    size_after = models.PositiveBigIntegerField(null=True, blank=True)
    error = models.CharField(max_length=1_000, blank=True)
    request_id = models.UUIDField(null=True, blank=True, unique=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="running"), name="one_cleanup_at_a_time"
            ),
        )
        permissions = (("operate_cleanup", "Can run a cleanup"),)
        indexes = (models.Index(fields=["started_at"], name="cleanup_started"),)

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S}: {self.state}"

    @property
    def freed_bytes(self) -> int | None:
        """By how much the database is smaller than when it began; operations that came meanwhile count against it."""
        if self.size_before is None or self.size_after is None:
            return None
        return self.size_before - self.size_after

    @property
    def rows(self) -> int:
        return sum(self.removed.values())
