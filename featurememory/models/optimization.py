"""What is learned of parameters: one study for each (operation_type, model), its arms, and what became of them."""

from django.db import models

from featurememory.optimization.lifecycle import Cause, Status

ANY_INPUT = 0
"""The pattern of operations without features, or of a space that is not calibrated yet."""


class LearningSettings(models.Model):
    """How the operations of a type are learned from; '' for all types that have none of their own."""

    operation_type = models.CharField(max_length=200, unique=True, blank=True)
    values = models.JSONField(default=dict, blank=True, help_text="only what it sets")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("operation_type",)
        verbose_name_plural = "learning settings"

    def __str__(self) -> str:
        return self.operation_type or "all operation types"


class Study(models.Model):
    """The learning of one (operation_type, model). `state` and `estimate` are the plain study's
    (optimization/study.py); whoever changes them holds the row's lock."""

    operation_type = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    state = models.JSONField(default=dict, blank=True)
    estimate = models.BinaryField(null=True, blank=True, help_text="JSON, compressed by zlib")
    estimated = models.PositiveBigIntegerField(default=0, help_text="grows with each estimate")
    estimate_at = models.PositiveBigIntegerField(
        default=0, help_text="the number of operations at which one is due"
    )
    operations = models.PositiveBigIntegerField(default=0, help_text="that taught something")
    revision = models.PositiveBigIntegerField(default=0, help_text="grows with each change")
    reloaded_in = models.PositiveBigIntegerField(
        default=0, help_text="the newest revision in which something was removed"
    )
    created_at = models.DateTimeField()
    learned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("operation_type", "model")
        verbose_name_plural = "studies"
        constraints = (models.UniqueConstraint(fields=["operation_type", "model"], name="study_once"),)

    def __str__(self) -> str:
        return f"{self.operation_type}:{self.model}" if self.model else self.operation_type


class Arm(models.Model):
    """One parameter set of a study. `number` is its place in the learner; null once it is retired."""

    class Origin(models.TextChoices):
        BASELINE = "baseline", "a caller's baseline"
        CALLER = "caller", "a caller's candidate"
        OPERATOR = "operator", "an operator"
        OBSERVED = "observed", "seen in operations"
        STEP = "step", "a small step from what works"
        PACK = "pack", "another installation"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="arms")
    number = models.PositiveSmallIntegerField(null=True, blank=True)
    parameters = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON")
    origin = models.CharField(max_length=8, choices=Origin)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["study", "digest"], name="arm_once"),
            models.UniqueConstraint(fields=["study", "number"], name="arm_number_once"),
        )

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.parameters.items()) or "no parameters"


class PatternEvidence(models.Model):
    """What a study knows of one pattern: the plain record (optimization/records.py)."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="evidence", db_index=False)
    pattern = models.PositiveBigIntegerField()
    record = models.JSONField()
    gain = models.FloatField(default=0.0, help_text="what is gained by knowing it")
    revision = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["study", "pattern"], name="evidence_once"),)
        indexes = (
            models.Index(fields=["study", "revision"], name="evidence_revision"),
            models.Index(fields=["pattern"], name="evidence_pattern"),
        )

    def __str__(self) -> str:
        return f"{self.study} in pattern {self.pattern}"


STATUSES = tuple((status.value, status.value) for status in Status)


class Optimization(models.Model):
    """One parameter set in one pattern, as lists and pages show it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="optimizations", db_index=False)
    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="optimizations", db_index=False)
    pattern = models.PositiveBigIntegerField(help_text="0: any input")
    status = models.CharField(max_length=11, choices=STATUSES, default=Status.CANDIDATE.value)
    trials = models.PositiveBigIntegerField(default=0)
    effect = models.FloatField(null=True, blank=True, help_text="over the baseline, in units of the reward")
    effect_low = models.FloatField(null=True, blank=True)
    effect_high = models.FloatField(null=True, blank=True)
    is_effective = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="when its status last changed")
    tried_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        permissions = (("operate_optimization", "Can promote, quarantine and retire optimizations"),)
        constraints = (models.UniqueConstraint(fields=["arm", "pattern"], name="optimization_once"),)
        indexes = (
            models.Index(fields=["pattern"], name="optimization_pattern"),
            models.Index(fields=["study", "status"], name="optimization_status"),
        )

    def __str__(self) -> str:
        return f"{self.study} in pattern {self.pattern}: {self.arm}"


class OptimizationEvent(models.Model):
    """One change of an optimization's standing: by whom, or by which evidence. `pattern` is null where it was the
    arm's as a whole."""

    sequence = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        unique=True,
        help_text="in the live sequence, where connected processes hear of it",
    )
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="events", db_index=False)
    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="events", db_index=False)
    pattern = models.PositiveBigIntegerField(null=True, blank=True)
    before = models.CharField(max_length=11, choices=STATUSES)
    after = models.CharField(max_length=11, choices=STATUSES)
    cause = models.CharField(max_length=20, choices=[(cause.value, cause.value) for cause in Cause])
    actor = models.CharField(max_length=200, blank=True, help_text="empty where evidence moved it")
    reason = models.CharField(max_length=1_000, blank=True)
    evidence = models.JSONField(
        default=dict, blank=True, help_text="trials, effect and its interval at the time"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["arm", "-id"], name="optimization_event_arm"),
            models.Index(fields=["at"], name="optimization_event_at"),
        )

    def __str__(self) -> str:
        return f"{self.arm}: {self.before} -> {self.after}"


class Belief(models.Model):
    """What was believed of the arms in a pattern at one moment: recommendations rest on it, and can be made again
    from it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="+", db_index=False)
    pattern = models.PositiveBigIntegerField(null=True, blank=True, help_text="null: like no pattern yet")
    revision = models.PositiveBigIntegerField(help_text="of the study")
    content = models.JSONField(help_text="posterior, arms, refused, promoted, and how was chosen")
    at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["study", "pattern", "revision"], name="belief_moment"),
            models.Index(fields=["at"], name="belief_at"),
        )

    def __str__(self) -> str:
        return f"{self.study} at revision {self.revision}"


class Recommendation(models.Model):
    """One recommendation, why, and what came of it."""

    class Source(models.TextChoices):
        BASELINE = "baseline", "the baseline"
        LEARNED = "learned", "what is thought best"
        PROMOTED = "promoted", "promoted"
        EXPLORED = "explored", "tried to learn more"

    id = models.UUIDField(primary_key=True)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="recommendations", db_index=False)
    belief = models.ForeignKey(Belief, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    pattern = models.PositiveBigIntegerField(null=True, blank=True, help_text="null: like no pattern yet")
    confidence = models.FloatField(null=True, blank=True, help_text="of the recognition")
    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="+", db_index=False)
    baseline = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="+", db_index=False)
    among = models.JSONField(null=True, blank=True, help_text="numbers of the arms that would do; null: all")
    seed = models.PositiveBigIntegerField()
    source = models.CharField(max_length=8, choices=Source)
    propensity = models.FloatField()
    baseline_propensity = models.FloatField()
    at = models.DateTimeField()
    operation = models.UUIDField(null=True, blank=True)
    outcome = models.CharField(max_length=9, blank=True)
    reward = models.FloatField(null=True, blank=True, help_text="what it taught; null: nothing (yet)")
    learned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-at",)
        indexes = (
            models.Index(fields=["study", "-at"], name="recommendation_newest"),
            models.Index(fields=["arm", "pattern", "-at"], name="recommendation_trials"),
            models.Index(fields=["at"], name="recommendation_at"),
            models.Index(
                fields=["operation"],
                condition=models.Q(operation__isnull=False),
                name="recommendation_operation",
            ),
        )

    def __str__(self) -> str:
        return str(self.id)


class Feedback(models.Model):
    """What was said of an operation after it was over; once."""

    operation = models.UUIDField(primary_key=True)
    score = models.FloatField(null=True, blank=True)
    outcome = models.CharField(max_length=9, blank=True)
    actor = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "feedback"
        indexes = (models.Index(fields=["at"], name="feedback_at"),)

    def __str__(self) -> str:
        return str(self.operation)
