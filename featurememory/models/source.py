"""Who sends: one row per SDK process (or exporter) that said its name."""

from django.db import models


class Source(models.Model):
    """`dropped` is the sender's own running total, so a repeated delivery cannot count it twice.

    What forgotten senders dropped is kept in one row that has no instance: no sender can be called so.
    """

    instance = models.CharField(max_length=200, unique=True)
    sdk = models.CharField(max_length=100, blank=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    dropped = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = (models.Index(fields=["last_seen"], name="source_last_seen"),)

    def __str__(self) -> str:
        return self.instance or "forgotten senders"
