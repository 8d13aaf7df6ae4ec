"""Alerts: the rules that raise them, their lives, and what keeps them quiet."""

from django.db import models
from django.db.models import Q


class Severity(models.TextChoices):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class AlertRule(models.Model):
    """What must not be. `condition` is what its kind needs (alerts/rules.py)."""

    class Kind(models.TextChoices):
        THRESHOLD = "threshold"
        CHANGE = "change", "rate of change"
        ABSENCE = "absence"
        BURN_RATE = "burn_rate", "burn rate"
        EVENT = "event", "state change"

    class NoData(models.TextChoices):
        KEEP = "keep", "stays as it is"
        RESOLVE = "resolve", "resolves"
        ALERT = "alert", "is an alert itself"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=9, choices=Kind)
    signal = models.CharField(max_length=50, help_text="alerts/signals.py")
    condition = models.JSONField(default=dict)
    matchers = models.JSONField(default=list, blank=True, help_text="[{name, operator, value}]")
    for_s = models.FloatField(default=0, help_text="seconds that it must hold before it fires")
    keep_firing_for_s = models.FloatField(
        default=0, help_text="seconds that it must be over before it resolves"
    )
    no_data = models.CharField(max_length=7, choices=NoData, default=NoData.KEEP)
    severity = models.CharField(max_length=8, choices=Severity)
    labels = models.JSONField(default=dict, blank=True, help_text="put beside the signal's own")
    summary = models.CharField(max_length=300, help_text="may name labels, {value} and {threshold}")
    description = models.TextField(blank=True)
    runbook_url = models.CharField(max_length=500, blank=True)
    is_enabled = models.BooleanField(default=True)
    shipped_as = models.CharField(
        max_length=50, null=True, blank=True, unique=True, help_text="which of the default rules it began as"
    )
    version = models.PositiveIntegerField(default=1, help_text="rises with each change")
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200, blank=True)
    evaluated_at = models.DateTimeField(null=True, blank=True)
    evaluation_ms = models.FloatField(null=True, blank=True)
    error = models.CharField(max_length=1_000, blank=True, help_text="of the last evaluation")

    class Meta:
        ordering = ("name",)
        permissions = (("operate_rules", "Can change alert rules"),)

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One firing condition and its life; of a rule and a set of labels at most one is open."""

    class Source(models.TextChoices):
        RULE = "rule"
        ALERTMANAGER = "alertmanager"

    class State(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    class Data(models.TextChoices):
        """Of the last evaluation."""

        THERE = "there"
        NO_DATA = "no_data", "no data"
        ERROR = "error"

    source = models.CharField(max_length=12, choices=Source, default=Source.RULE)
    rule = models.ForeignKey(
        AlertRule, on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts"
    )
    name = models.CharField(max_length=200, help_text="the rule's, or the label alertname of another's")
    severity = models.CharField(max_length=8, choices=Severity)
    labels = models.JSONField()
    fingerprint = models.CharField(max_length=32, help_text="of source, name and labels (alerts/labels.py)")
    state = models.CharField(max_length=12, choices=State)
    data = models.CharField(max_length=7, choices=Data, default=Data.THERE)
    is_silenced = models.BooleanField(default=False)
    inhibited_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="what mutes it"
    )
    is_flapping = models.BooleanField(default=False)
    looks = models.CharField(
        max_length=21, blank=True, help_text="what the last evaluations said, 1 for active"
    )
    summary = models.CharField(max_length=500)
    description = models.TextField(blank=True)
    runbook_url = models.CharField(max_length=500, blank=True)
    generator_url = models.CharField(max_length=2_000, blank=True, help_text="where another's comes from")
    annotations = models.JSONField(default=dict, blank=True, help_text="another's own")
    value = models.FloatField(null=True, blank=True)
    peak = models.FloatField(null=True, blank=True, help_text="the worst value it had")
    started_at = models.DateTimeField(help_text="since when it holds")
    fired_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="last evaluated, or last heard of")
    clear_since = models.DateTimeField(null=True, blank=True, help_text="it is over since, not resolved yet")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    acknowledged_severity = models.CharField(max_length=8, choices=Severity, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="another's: over unless heard of before")

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~Q(state="resolved"), name="one_open_alert"
            ),
        )
        indexes = (
            models.Index(fields=["state", "-started_at", "-id"], name="alert_state"),
            models.Index(fields=["fingerprint", "-started_at"], name="alert_fingerprint"),
            models.Index(fields=["resolved_at"], name="alert_resolved"),
        )
        permissions = (("operate_alerts", "Can acknowledge, silence and close alerts"),)

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_muted(self) -> bool:
        """Nobody is told of it."""
        return self.is_silenced or self.inhibited_by_id is not None


OPEN = (Alert.State.FIRING, Alert.State.ACKNOWLEDGED)
"""What an operator sees as being wrong now."""


class AlertEvent(models.Model):
    """One change in an alert's life, or a note to it."""

    class Kind(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"
        ACKNOWLEDGED = "acknowledged"
        REOPENED = "reopened"
        SEVERITY = "severity", "severity changed"
        SILENCED = "silenced"
        UNSILENCED = "unsilenced"
        INHIBITED = "inhibited"
        UNINHIBITED = "uninhibited", "no longer inhibited"
        FLAPPING = "flapping"
        STEADY = "steady"
        NO_DATA = "no_data", "no data"
        ERROR = "error"
        DATA = "data", "data is back"
        NOTE = "note"
        RESOLVED = "resolved"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200, blank=True, help_text="empty: by itself")
    note = models.CharField(max_length=1_000, blank=True)
    value = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=["at"], name="alert_event_at"),)

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.kind}"


class AlertSilence(models.Model):
    """Keeps alerts quiet that all of its matchers fit, from a moment until another; `recurrence` makes it a
    maintenance window within them (alerts/silences.py)."""

    matchers = models.JSONField(help_text="[{name, operator, value}]; all must fit")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    recurrence = models.JSONField(
        null=True, blank=True, help_text="{weekdays: [0 (Monday) to 6], start: HH:MM, minutes, timezone}"
    )
    comment = models.CharField(max_length=1_000)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    ended_by = models.CharField(max_length=200, blank=True, help_text="who ended it before its time")

    class Meta:
        ordering = ("-ends_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(ends_at__gte=models.F("starts_at")), name="silence_ends"),
        )

    def __str__(self) -> str:
        return f"{self.comment} ({self.created_by}), until {self.ends_at:%Y-%m-%d %H:%M}"
