"""Feature spaces and the patterns found in them."""

from django.db import models
from django.db.models import Q

PATTERNS_A_SPACE = 10**9
"""Pattern ids of one space; those of space 3 are 3,000,000,001 and so on."""


class FeatureSpace(models.Model):
    """A named kind of vector. Its first vector fixes the dimension, its first 200 calibrate it (core/spaces.py)."""

    name = models.CharField(max_length=200, unique=True)
    dimension = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=0, help_text="of the calibration; 0 until there is one")
    calibration = models.JSONField(null=True, blank=True)
    weights = models.JSONField(
        null=True,
        blank=True,
        help_text="of the confidence, once enough matches were confirmed (core/confidence.py)",
    )
    seen = models.PositiveBigIntegerField(default=0, help_text="vectors taken in")
    refused = models.PositiveBigIntegerField(
        default=0, help_text="vectors that could not be compared: of another dimension, or zero throughout"
    )
    next_pattern = models.PositiveBigIntegerField(default=1, help_text="the number of the next new pattern")
    revision = models.PositiveBigIntegerField(default=0, help_text="grows with each change of its patterns")
    removed_in = models.PositiveBigIntegerField(
        default=0, help_text="the newest revision in which a pattern went"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class WarmUpVector(models.Model):
    """One of a space's first vectors, kept until they calibrate it."""

    space = models.ForeignKey(FeatureSpace, on_delete=models.CASCADE, related_name="warm_up")
    vector = models.BinaryField(help_text="float32, little endian")

    def __str__(self) -> str:
        return f"{self.space} {self.pk}"


class Confirmation(models.Model):
    """Somebody said whether a match was right."""

    space = models.ForeignKey(FeatureSpace, on_delete=models.CASCADE, related_name="confirmations")
    pattern = models.PositiveBigIntegerField(help_text="that the input was said to belong to")
    signs = models.JSONField(help_text="what its confidence was made from (core/confidence.py)")
    correct = models.BooleanField()
    actor = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.space} {self.pattern}: {'right' if self.correct else 'wrong'}"


class PatternMap(models.Model):
    """The plane on which a space's patterns are drawn, found with its calibration and as frozen as that: its first
    vectors are gone afterwards, and what the calibration keeps of them says nothing of how dimensions go together."""

    space = models.OneToOneField(
        FeatureSpace, on_delete=models.CASCADE, related_name="pattern_map", primary_key=True
    )
    axes = models.BinaryField(help_text="two, each at length 1; float32, little endian")

    def __str__(self) -> str:
        return str(self.space)


def name_of(pattern: int, label: str) -> str:
    """What people read: its label, else its number within its space."""
    return label or f"Pattern {pattern % PATTERNS_A_SPACE}"


class Pattern(models.Model):
    """A recurring kind of input. `id` holds the space's number too, so that a pattern that went is never confused with
    a later one."""

    id = models.PositiveBigIntegerField(primary_key=True)
    space = models.ForeignKey(FeatureSpace, on_delete=models.CASCADE, related_name="patterns", db_index=False)
    centroid = models.BinaryField(help_text="at length 1; float32, little endian")
    count = models.PositiveBigIntegerField(help_text="vectors that it has seen")
    spread = models.FloatField(help_text="mean of 1 - cosine between its vectors and its centroid")
    x = models.FloatField(default=0, help_text="of its centroid, on the space's map")
    y = models.FloatField(default=0)
    visits = models.FloatField(help_text="faded as of seen_at")
    seen_at = models.FloatField(help_text="in vectors that the space had taken in")
    label = models.CharField(max_length=200, blank=True)
    pinned = models.BooleanField(default=False, help_text="never makes room for others")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    revision = models.PositiveBigIntegerField(help_text="the space's, when it last changed")

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["space", "revision"], name="pattern_revision"),
            models.Index(fields=["space", "count"], name="pattern_count"),
            models.Index(fields=["space"], name="pattern_pinned", condition=Q(pinned=True)),
        )
        permissions = (("operate_pattern", "Can label, pin, merge and forget patterns"),)

    def __str__(self) -> str:
        return self.label or str(self.id)

    @property
    def number(self) -> int:
        """Within its space."""
        return self.id % PATTERNS_A_SPACE

    @property
    def name(self) -> str:
        return name_of(self.id, self.label)

    @property
    def provisional(self) -> bool:
        """Seen too seldom to be more than a guess."""
        from featurememory.core.patterns import PROVISIONAL_BELOW

        return self.count < PROVISIONAL_BELOW
