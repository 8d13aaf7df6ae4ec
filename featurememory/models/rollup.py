"""Counts and latency histograms per minute and hour; what pages read instead of raw operations."""

from django.db import models

OTHER = "other"


class Series(models.Model):
    """One (operation_type, model) that is counted by itself. Beyond the limits it is `other`."""

    operation_type = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    first_seen = models.DateTimeField()

    class Meta:
        verbose_name_plural = "series"
        constraints = (models.UniqueConstraint(fields=["operation_type", "model"], name="series_once"),)

    def __str__(self) -> str:
        return f"{self.operation_type}:{self.model}" if self.model else self.operation_type


class Rollup(models.Model):
    """What one series did in one span of time.

    `resolution` is the span in seconds: 60, 3600 and 86400 (the sums of their minutes), and 0 for the series' one row
    over all time (its start is the Unix epoch), which outlives everything else and feeds /metrics. Rejected operations
    never ran: they are counted, but are neither in the histogram nor in the duration columns.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="rollups", db_index=False)
    resolution = models.PositiveIntegerField()
    start = models.DateTimeField()
    success = models.PositiveBigIntegerField(default=0)
    error = models.PositiveBigIntegerField(default=0)
    timeout = models.PositiveBigIntegerField(default=0)
    cancelled = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    duration_sum_ms = models.FloatField(default=0.0)
    duration_max_ms = models.FloatField(default=0.0)
    histogram = models.BinaryField(default=bytes, help_text="observability/histogram.py")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["resolution", "start", "series"], name="rollup_once"),)
        indexes = (models.Index(fields=["series", "resolution", "start"], name="rollup_series_start"),)

    def __str__(self) -> str:
        return f"{self.series_id} {self.start:%Y-%m-%d %H:%M}"


class RollupMark(models.Model):
    """Changes with every rollup of these ten minutes, in the same transaction, and so does the mark of their day: what
    a reader remembers of them holds while their mark is the same. Who deletes rollups deletes their mark."""

    block = models.IntegerField(
        primary_key=True, help_text="ten minutes each, counted from the Unix epoch; of day n it is -1 - n"
    )
    mark = models.BigIntegerField(help_text="a random number; each transaction draws another")

    def __str__(self) -> str:
        return str(self.block)
