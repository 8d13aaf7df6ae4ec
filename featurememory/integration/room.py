"""Making room among what was learned: the patterns and the optimizations that would be missed least go first, pinned
ones never, and what they taught is kept in what is known in general."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Count, Max

from featurememory.models import FeatureSpace, Optimization, Pattern, PatternEvidence
from featurememory.models.optimization import ANY_INPUT
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.upkeep import follow_patterns


def let_go_of_patterns(count: int, now: datetime) -> int:
    """Up to `count` patterns, of the space that has most; how many went."""
    from featurememory.integration.spaces import registry_of_spaces  # numpy, where there are patterns alone

    largest = FeatureSpace.objects.annotate(known=Count("patterns")).order_by("-known", "pk").first()
    return 0 if largest is None else registry_of_spaces().make_room(largest.name, count, now)


def let_go_of_optimizations(count: int, now: datetime) -> int:
    """Up to `count` rows: retired ones, the oldest first; where there are none, the evidence of the patterns whose
    knowledge gains least is summed up, which retires theirs. How many rows went."""
    retired = Optimization.objects.filter(status=Status.RETIRED).order_by("changed_at")
    gone, _ = Optimization.objects.filter(pk__in=list(retired.values_list("pk", flat=True)[:count])).delete()
    if not gone and (least := _least_telling(count)):
        with transaction.atomic():
            follow_patterns(least, now)
        return let_go_of_optimizations(count, now) if retired.exists() else 0
    return gone


def pinned_patterns() -> int:
    return Pattern.objects.filter(pinned=True).count()


def _least_telling(count: int) -> list[int]:
    pinned = Pattern.objects.filter(pinned=True).values("pk")
    known = PatternEvidence.objects.exclude(pattern=ANY_INPUT).exclude(pattern__in=pinned)
    by_gain = (
        known.values("pattern").annotate(best=Max("gain"), newest=Max("revision")).order_by("best", "newest")
    )
    return list(by_gain.values_list("pattern", flat=True)[: max(1, count // 10)])
