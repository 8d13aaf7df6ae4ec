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
        METRICS_ONLY = "metrics_only"

    name = models.CharField(max_length=401, unique=True)
    operation_type = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    declared = models.JSONField(
        default=dict,
        blank=True,
        help_text="how its callers' SDK is configured; the server's settings come above",
    )
    config = models.JSONField(
        default=dict, blank=True, help_text="what holds for it and differs from the defaults"
    )
    state = models.CharField(max_length=12, choices=State, default=State.CLOSED)
    computed_state = models.CharField(max_length=12, choices=State, default=State.CLOSED)
    epoch = models.PositiveBigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0, help_text="the sequence of its last transition")
    revision = models.PositiveBigIntegerField(default=0, help_text="grows with each write of the row")
    machine = models.JSONField(default=dict, blank=True)
    calls = models.JSONField(default=dict, blank=True, help_text="calls by kind since it came into being")
    transitions = models.JSONField(
        default=dict, blank=True, help_text="changes of state since it came into being, by 'FROM TO'"
    )
    due_at = models.DateTimeField(
        null=True, blank=True, help_text="when time alone may move it: an overlay's end, a probe that expires"
    )
    changed_at = models.DateTimeField(help_text="when the state last changed")
    last_result_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        permissions = (("operate_breaker", "Can reset, force open, disable, release and configure breakers"),)
        indexes = (
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="breaker_due"),
        )

    def __str__(self) -> str:
        return self.name


class ForgottenBreakers(models.Model):
    """What those breakers did, all together, that had to make room for others: no total falls when one is
    forgotten."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    transitions = models.JSONField(default=dict, help_text="as Breaker.transitions")

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="one_forgotten_breakers"),)

    def __str__(self) -> str:
        return "forgotten breakers"


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
    """One transition: from, to, cause with its figures, actor and reason. It outlives its breaker."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    breaker = models.ForeignKey(
        Breaker, on_delete=models.SET_NULL, null=True, related_name="events", db_index=False
    )
    name = models.CharField(max_length=401)
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
    overlay_until = models.DateTimeField(
        null=True, blank=True, help_text="when what an operator laid over it ends by itself"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ("-sequence",)
        indexes = (
            models.Index(fields=["at"], name="breaker_event_at"),
            models.Index(fields=["breaker", "-sequence"], name="breaker_event_newest"),
            models.Index(
                fields=["breaker", "-sequence"], condition=~models.Q(actor=""), name="breaker_event_acts"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.from_state} -> {self.to_state}"


class BreakerConfiguration(models.Model):
    """Settings for all breakers, for those of one operation type, or for one breaker; each goes over the former."""

    class Scope(models.TextChoices):
        DEFAULT = "default"
        OPERATION_TYPE = "operation_type"
        BREAKER = "breaker"

    scope = models.CharField(max_length=14, choices=Scope)
    name = models.CharField(max_length=401, blank=True, help_text="the operation type or the breaker")
    values = models.JSONField(default=dict, blank=True, help_text="only what it sets")
    sequence = models.PositiveBigIntegerField(unique=True, help_text="its last change in the live sequence")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("scope", "name")
        constraints = (models.UniqueConstraint(fields=["scope", "name"], name="breaker_configuration_once"),)

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".strip()


class LocalTransition(models.Model):
    """A transition of one process's own breaker, as that process reported it: its trips, and what it did while it
    could not reach the server. `number` is its own count, so that a repeated report changes nothing."""

    instance = models.CharField(max_length=200)
    number = models.PositiveBigIntegerField()
    name = models.CharField(max_length=401)
    from_state = models.CharField(max_length=12, choices=Breaker.State)
    to_state = models.CharField(max_length=12, choices=Breaker.State)
    cause = models.CharField(max_length=40)
    message = models.CharField(max_length=500, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(help_text="by the process's clock")
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-received_at", "-number")
        constraints = (models.UniqueConstraint(fields=["instance", "number"], name="local_transition_once"),)
        indexes = (
            models.Index(fields=["name", "-received_at"], name="local_transition_name"),
            models.Index(fields=["received_at"], name="local_transition_received"),
        )

    def __str__(self) -> str:
        return f"{self.instance} {self.name}: {self.from_state} -> {self.to_state}"


class Follower(models.Model):
    """A process that follows the breakers' stream, and the last of an operator's acts that it says it has applied."""

    instance = models.CharField(max_length=200, unique=True)
    connected_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    applied = models.PositiveBigIntegerField(default=0, help_text="sequence")
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("instance",)
        indexes = (models.Index(fields=["seen_at"], name="follower_seen"),)

    def __str__(self) -> str:
        return self.instance
