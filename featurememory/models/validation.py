"""What validators found: the failures and a sample of what passed, and how often."""

from django.db import models


class ValidationRecord(models.Model):
    """One result. Of a source's failures so many are kept in an hour; ValidationTally counts all."""

    validator = models.CharField(max_length=100)
    source = models.CharField(max_length=200, blank=True, help_text="the process, or the key, that sent it")
    operation_type = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    space = models.CharField(max_length=200, blank=True)
    is_valid = models.BooleanField()
    code = models.CharField(
        max_length=100, blank=True, help_text="the first error's; empty where it is valid"
    )
    errors = models.JSONField(default=list, blank=True, help_text="[{code, field, message, severity, value}]")
    warnings = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True, help_text="what was checked, by which thresholds")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["at"], name="validation_at"),
            models.Index(fields=["source", "id"], name="validation_source"),
            models.Index(fields=["code", "id"], name="validation_code"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(is_valid=True, code="") | (models.Q(is_valid=False) & ~models.Q(code="")),
                name="validation_code_says_why",
            ),
        )

    def __str__(self) -> str:
        return f"{self.validator} from {self.source or 'somebody'}: {self.code or 'valid'}"


class ValidationTally(models.Model):
    """How many results of a validator and a source had a code in an hour."""

    validator = models.CharField(max_length=100)
    source = models.CharField(max_length=200, blank=True, help_text="`other` for those beyond the limit")
    hour = models.DateTimeField(help_text="its beginning")
    code = models.CharField(max_length=100, blank=True, help_text="empty: passed")
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "validation tallies"
        constraints = (
            models.UniqueConstraint(
                fields=["hour", "source", "validator", "code"], name="validation_tally_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.validator} from {self.source or 'somebody'}: {self.count} {self.code or 'passed'}"
