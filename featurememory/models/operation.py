"""One guarded call, as it was reported."""

from django.db import models
from django.db.models import Q


class Operation(models.Model):
    """A row is written once, in one transaction of the ingestion writer, and never changed by it.

    `seq` follows the order of arrival, so that inserts stay local whatever ids callers choose; `id` is the
    caller's UUID and what makes a repeated delivery harmless.
    """

    class Outcome(models.TextChoices):
        SUCCESS = "success"
        ERROR = "error"
        TIMEOUT = "timeout"
        CANCELLED = "cancelled"
        REJECTED = "rejected"

    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True)
    series = models.ForeignKey(
        "featurememory.Series",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    operation_type = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    received_at = models.DateTimeField()
    duration_ms = models.FloatField()
    outcome = models.CharField(max_length=9, choices=Outcome)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.CharField(max_length=2_000, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    score = models.FloatField(null=True, blank=True)
    features = models.BinaryField(null=True, blank=True, help_text="float32, little endian")
    space = models.CharField(max_length=200, blank=True)
    pattern = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="that its features belong to; filled in after the insert"
    )
    recommendation = models.UUIDField(null=True, blank=True)
    instance = models.CharField(max_length=200, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)
    span_id = models.CharField(max_length=16, blank=True)
    breaker = models.CharField(max_length=401, blank=True, help_text="the name the caller chose, if it did")

    class Meta:
        # Who wants one of the four that hold some rows alone repeats its condition (observability/operations.py).
        indexes = (
            models.Index(fields=["started_at"], name="operation_started"),
            models.Index(fields=["series", "started_at"], name="operation_series_started"),
            models.Index(fields=["started_at"], condition=~Q(outcome="success"), name="operation_failed"),
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="operation_trace"),
            models.Index(
                fields=["pattern", "started_at"], condition=Q(pattern__isnull=False), name="operation_pattern"
            ),
            models.Index(
                fields=["breaker", "started_at"], condition=~Q(breaker=""), name="operation_breaker"
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(duration_ms__gte=0), name="operation_duration_not_negative"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=0, score__lte=1),
                name="operation_score_in_unit",
            ),
        )

    def __str__(self) -> str:
        return f"{self.operation_type} {self.model} {self.outcome} {self.id}"
