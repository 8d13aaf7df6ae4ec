"""What somebody wrote beside the charts."""

from django.db import models
from django.db.models import F, Q


class Annotation(models.Model):
    """A deploy, or a note, at a moment or over a while; of everything, or of one operation type or model."""

    class Kind(models.TextChoices):
        DEPLOY = "deploy"
        NOTE = "note"

    kind = models.CharField(max_length=6, choices=Kind, default=Kind.NOTE)
    text = models.CharField(max_length=500)
    at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    operation_type = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=["-at", "-id"], name="annotation_at"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("at")), name="annotation_ends_after_it_begins"
            ),
        )
        permissions = (("operate_annotations", "Can write and remove annotations"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"
