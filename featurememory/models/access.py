"""Who may do what, and who did what."""

import hashlib
import secrets
from typing import Self

from django.db import models


class ApiKey(models.Model):
    """A bearer key. Only its SHA-256 is kept: the key has 256 random bits, so a slow hash would add nothing."""

    SCOPES = ("ingest", "read", "control")

    name = models.CharField(max_length=100, unique=True)
    prefix = models.CharField(max_length=12, help_text="the key's first characters, to tell keys apart")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def digest_of(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    @classmethod
    def drawn(cls, name: str, scopes: list[str], **fields: object) -> tuple[Self, str]:
        """An unsaved row with a new key, and the key itself, which exists nowhere else."""
        key = f"fm_{secrets.token_urlsafe(32)}"
        return cls(name=name, scopes=scopes, prefix=key[:10], digest=cls.digest_of(key), **fields), key


class AuditEntry(models.Model):
    """One act of a person or a key: never changed, never deleted by hand."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=500)
    reason = models.CharField(max_length=1_000, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    request_id = models.UUIDField(
        null=True, blank=True, unique=True, help_text="makes a double submit harmless"
    )

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["actor", "at"], name="audit_actor_at"),
            models.Index(fields=["action", "at"], name="audit_action_at"),
            models.Index(fields=["subject", "at"], name="audit_subject_at"),
        )

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"
