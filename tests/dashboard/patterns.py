"""Feature spaces and patterns in whatever state a page's test wants them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from featurememory.core.features import Matrix
from featurememory.core.registry import SpaceRegistry
from featurememory.core.spaces import WARM_UP, vector_to_bytes
from featurememory.models import FeatureSpace, Pattern
from tests.core.spaces import scattered


def learn(space: str, vectors: Matrix, at: datetime) -> None:
    with transaction.atomic():
        SpaceRegistry(10, 10_000).learn([(space, vector_to_bytes(each)) for each in vectors], at)


def calibrated(space: str, at: datetime) -> FeatureSpace:
    """A space with a pattern for each of twenty kinds of input, each seen ten times."""
    learn(space, scattered(20, 1).repeat(WARM_UP // 20, axis=0), at)
    return FeatureSpace.objects.get(name=space)


def pattern(space: FeatureSpace, number: int) -> Pattern:
    """Those of `calibrated` are numbered from 1 on."""
    return Pattern.objects.select_related("space").get(pk=space.pk * 10**9 + number)


def many(space: FeatureSpace, count: int, at: datetime) -> None:
    """So many more patterns, numbered from 1001 on, each seen once more than the one before; the newest first seen
    last."""
    like = pattern(space, 1)
    Pattern.objects.bulk_create(
        Pattern(
            id=space.pk * 10**9 + 1_001 + number,
            space=space,
            centroid=like.centroid,
            count=100 + number,
            spread=0.01,
            visits=1,
            seen_at=1,
            first_seen=at + timedelta(seconds=number),
            last_seen=at + timedelta(seconds=number),
            revision=space.revision,
        )
        for number in range(count)
    )
