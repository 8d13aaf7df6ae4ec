"""Patterns that have drifted so near to each other that they are one: merged, with what was learned of them."""

from __future__ import annotations

import numpy as np

from featurememory.core.errors import UnknownPattern
from featurememory.core.patterns import near_duplicates
from featurememory.core.storage import read_patterns
from featurememory.integration.pattern_actions import merge_pattern
from featurememory.models import FeatureSpace, Pattern

ACTOR = "the memory"
MOST_AT_ONCE = 50


def merge_near_duplicates(name: str) -> int:
    """Merges patterns of a space whose centroids it would recognise as each other, the nearest first, the younger into
    the older; how many went. Pinned and labelled ones stay."""
    row = FeatureSpace.objects.filter(name=name, version__gt=0).first()
    if row is None:
        return 0
    known = list(read_patterns(row))
    if len(known) < 2:
        return 0
    named = set(Pattern.objects.filter(space=row).exclude(label="").values_list("pk", flat=True))
    tau = float((row.calibration or {})["tau"])
    gone: set[int] = set()
    for one, other, cosine in near_duplicates(np.stack([each.centroid for each in known]), tau):
        kept, young = sorted((known[one], known[other]), key=lambda each: each.id)
        if len(gone) == MOST_AT_ONCE:
            break
        if young.pinned or young.id in named or {kept.id, young.id} & gone:
            continue
        try:
            merge_pattern(young.id, kept.id, actor=ACTOR, reason=f"as near as {cosine:.3f} to each other")
        except UnknownPattern:  # meanwhile merged or forgotten by somebody else
            continue
        gone.add(young.id)
    return len(gone)
