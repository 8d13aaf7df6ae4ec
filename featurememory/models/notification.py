"""Who is told of alerts: channels, the routes that lead to them, what was told, and every delivery."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import Q


class AlertChannel(models.Model):
    """A way to tell somebody. `settings` hold secrets: alerts/channels.py says which, and what may be shown."""

    class Kind(models.TextChoices):
        EMAIL = "email", "e-mail"
        WEBHOOK = "webhook", "webhook"
        SLACK = "slack", "Slack-shaped webhook"
        ALERTMANAGER = "alertmanager", "Alertmanager"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=12, choices=Kind)
    settings = models.JSONField(default=dict)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)
    refreshed_at = models.DateTimeField(
        null=True, blank=True, help_text="when an Alertmanager last heard what still fires"
    )
    refresh_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("name",)
        permissions = (("manage_channels", "Can set up who is told of alerts"),)

    def __str__(self) -> str:
        return self.name


class AlertRoute(models.Model):
    """Leads the alerts that its matchers fit to a channel, in groups. Routes are asked by position; the first that fits
    takes the alert, unless it `continues`."""

    position = models.PositiveIntegerField(default=0)
    matchers = models.JSONField(default=list, blank=True, help_text="[{name, operator, value}]; none: all")
    severities = models.JSONField(default=list, blank=True, help_text="none: all")
    channel = models.ForeignKey(AlertChannel, on_delete=models.PROTECT, related_name="routes")
    group_by = models.JSONField(default=list, blank=True, help_text="names of labels")
    group_wait_s = models.FloatField(default=10)
    group_interval_s = models.FloatField(default=60)
    repeat_s = models.FloatField(default=14_400)
    escalate_after_s = models.FloatField(null=True, blank=True)
    escalate_to = models.ForeignKey(
        AlertChannel, on_delete=models.PROTECT, null=True, blank=True, related_name="escalations"
    )
    send_resolved = models.BooleanField(default=True)
    continues = models.BooleanField(default=False, help_text="later routes are asked too")

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(escalate_after_s__isnull=True, escalate_to__isnull=True)
                | Q(escalate_after_s__isnull=False, escalate_to__isnull=False),
                name="escalation_is_whole",
            ),
        )

    def __str__(self) -> str:
        return f"{self.position}: to {self.channel}"


class AlertGroup(models.Model):
    """What was last told of the alerts that a route puts together (alerts/grouping.py)."""

    route = models.ForeignKey(AlertRoute, on_delete=models.CASCADE, related_name="groups")
    key = models.CharField(max_length=32)
    labels = models.JSONField(default=dict, help_text="that its alerts have in common")
    told = models.JSONField(default=dict, help_text="by fingerprint")
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("route", "key")
        constraints = (models.UniqueConstraint(fields=["route", "key"], name="one_group"),)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.labels.items()) or "all"


class AlertDelivery(models.Model):
    """One message to one channel. Its id is the same however often it is sent, so that who knows it takes it once."""

    class Kind(models.TextChoices):
        FIRING = "firing"
        CHANGED = "changed"
        REPEAT = "repeat"
        ESCALATION = "escalation"
        RESOLVED = "resolved"
        TEST = "test"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        DELIVERED = "delivered"
        FAILED = "failed", "given up"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    channel = models.ForeignKey(
        AlertChannel, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    channel_name = models.CharField(max_length=100)
    route = models.ForeignKey(AlertRoute, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    group_key = models.CharField(max_length=32, blank=True)
    group_labels = models.JSONField(default=dict, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    event_key = models.CharField(max_length=100, unique=True, help_text="what is told can be told once")
    alerts = models.JSONField(default=list, help_text="as they were")
    left_out = models.PositiveIntegerField(default=0, help_text="alerts that were too many")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    answer_status = models.PositiveIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True, help_text="its beginning")
    error = models.CharField(max_length=500, blank=True, help_text="of the last attempt")

    class Meta:
        ordering = ("-created_at", "-id")
        verbose_name_plural = "alert deliveries"
        indexes = (
            models.Index(fields=["created_at"], name="delivery_created"),
            models.Index(fields=["channel", "-created_at"], name="delivery_channel"),
            models.Index(fields=["state", "channel", "created_at"], name="delivery_state"),
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel_name}: {self.state}"


class AlertHeartbeat(models.Model):
    """The last sign of life that was given to somebody outside (alerts/heartbeat.py); one row."""

    called_at = models.DateTimeField(null=True, blank=True)
    answer_status = models.PositiveIntegerField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"Heartbeat: {self.answer_status or self.error or 'not called yet'}"
