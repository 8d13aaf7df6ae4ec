"""Whether an act was done before: its audit row knows the id that it was submitted with."""

from __future__ import annotations

from uuid import UUID

from featurememory.models import AuditEntry


def was_done(request_id: UUID | None) -> bool:
    """False without an id: then nothing tells a second submit from another act."""
    return request_id is not None and AuditEntry.objects.filter(request_id=request_id).exists()
