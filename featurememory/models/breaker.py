"""The fleet's breakers: one row each, and one event row for each change of state."""

from django.db import models


class Breaker(models.Model):
    """The truth that is shared. `machine` is the state machine's snapshot (circuit_breaker/machine.py);
    the columns beside it repeat what lists, filters and metrics need."""

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"
        FORCED_OPEN = "forced_open"
        DISABLED = "disabled"

    name = models.CharField(max_length=401, unique=True)
    operation_type = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    config = models.JSONField(default=dict, blank=True, help_text="what differs from the defaults")
    state = models.CharField(max_length=12, choices=State, default=State.CLOSED)
    computed_state = models.CharField(max_length=12, choices=State, default=State.CLOSED)
    epoch = models.PositiveBigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0, help_text="the sequence of its last transition")
    revision = models.PositiveBigIntegerField(default=0, help_text="grows with each write of the row")
    machine = models.JSONField(default=dict, blank=True)
    changed_at = models.DateTimeField(help_text="when the state last changed")
    last_result_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        permissions = (("operate_breaker", "Can reset, force open, disable and release breakers"),)

    def __str__(self) -> str:
        return self.name


class LiveSequence(models.Model):
    """The last sequence number given out. Its row is locked until commit, so numbers become visible in order
    and without gaps, and a reader that has seen n has seen all before n."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="one_live_sequence"),)

    def __str__(self) -> str:
        return str(self.last)


class BreakerEvent(models.Model):
    """One transition: from, to, cause with its figures, actor and reason."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    breaker = models.ForeignKey(Breaker, on_delete=models.CASCADE, related_name="events")
    from_state = models.CharField(max_length=12, choices=Breaker.State)
    to_state = models.CharField(max_length=12, choices=Breaker.State)
    computed_state = models.CharField(max_length=12, choices=Breaker.State)
    cause = models.CharField(max_length=40)
    message = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200, blank=True, help_text="empty when the breaker moved by itself")
    reason = models.CharField(max_length=1_000, blank=True)
    epoch = models.PositiveBigIntegerField()
    counts = models.JSONField(default=dict)
    retry_after_ms = models.FloatField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-sequence",)
        indexes = (models.Index(fields=["at"], name="breaker_event_at"),)

    def __str__(self) -> str:
        return f"{self.breaker_id}: {self.from_state} -> {self.to_state}"
