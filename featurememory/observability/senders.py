"""Forgetting senders that are gone: each process of an SDK has a name of its own, and new ones come every day."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from featurememory.models import Source

FORGOTTEN = ""
"""The instance of the row that keeps what forgotten senders dropped."""


def forget_senders(unseen_since: datetime) -> int:
    """Forgets who was not heard of since then; gives their number.

    What they dropped is kept in one row, in the same transaction: the total never falls. A sender that comes back
    nevertheless begins anew, so that its earlier total counts twice.
    """
    gone = Source.objects.exclude(instance=FORGOTTEN).filter(last_seen__lt=unseen_since)
    with transaction.atomic():
        totals = list(gone.select_for_update().order_by("pk").values_list("dropped", flat=True))
        if not totals:
            return 0
        gone.delete()
        Source.objects.get_or_create(
            instance=FORGOTTEN, defaults={"first_seen": unseen_since, "last_seen": unseen_since}
        )
        Source.objects.filter(instance=FORGOTTEN).update(
            dropped=F("dropped") + sum(totals), last_seen=unseen_since
        )
    return len(totals)
