"""Two feature spaces in whose vectors people would see something: one that is calibrated, one on its way."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from featurememory.core.features import Matrix
from featurememory.core.registry import Learned, SpaceRegistry
from featurememory.core.spaces import vector_to_bytes
from featurememory.models import FeatureSpace, Operation, Pattern

CALIBRATED, CALIBRATING = "wav2vec2-24", "clap-8"
KINDS, VECTORS, DIMENSION = 60, 900, 24
BATCHES = 15
LABELS = {1: "rain on a tin roof", 2: "speech, one voice", 5: "<b>drums</b> & bass"}
PINNED = (2, 9)


def learn_patterns(now: datetime, seed: int = 11) -> None:
    """Over the last hours, and the newest operations belong to patterns; with another seed other kinds come too."""
    chance = np.random.default_rng(seed)
    families = chance.normal(size=(5, DIMENSION)) * 1.6
    centres = families[chance.integers(0, 5, KINDS)] + chance.normal(size=(KINDS, DIMENSION))
    kinds = np.minimum(chance.zipf(1.35, VECTORS) - 1, KINDS - 1)
    vectors = (centres[kinds] + 0.35 * chance.normal(size=(VECTORS, DIMENSION))).astype(np.float32)
    registry, patterns = SpaceRegistry(max_spaces=10, max_patterns=1_000), []
    for number, batch in enumerate(np.array_split(vectors, BATCHES)):
        at = now - timedelta(minutes=17 * (BATCHES - number))
        patterns += [each.pattern for each in _learn(registry, CALIBRATED, batch, at)]
    _learn(registry, CALIBRATING, vectors[:37, :8], now)
    FeatureSpace.objects.filter(name=CALIBRATED).update(refused=3)
    first = FeatureSpace.objects.get(name=CALIBRATED).pk * 10**9
    for number, label in LABELS.items():
        Pattern.objects.filter(pk=first + number).update(label=label)
    Pattern.objects.filter(pk__in=[first + number for number in PINNED]).update(pinned=True)
    known = [pattern for pattern in patterns if pattern is not None]
    for operation, pattern in zip(Operation.objects.order_by("-started_at"), known[::-1], strict=False):
        Operation.objects.filter(pk=operation.pk).update(pattern=pattern)


def _learn(registry: SpaceRegistry, space: str, vectors: Matrix, at: datetime) -> list[Learned]:
    with transaction.atomic():
        return registry.learn([(space, vector_to_bytes(each)) for each in vectors], at)
