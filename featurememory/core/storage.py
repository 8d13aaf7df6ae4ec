"""Feature spaces and patterns in the database. Who changes patterns holds the lock on their space's row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from django.db.models import F, QuerySet

from featurememory.core import patterns
from featurememory.core.confidence import CONFIRMATIONS_KEPT
from featurememory.core.errors import UnknownPattern, UnknownSpace
from featurememory.core.projection import Plane
from featurememory.core.spaces import vector_from_bytes, vector_to_bytes
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Confirmation, FeatureSpace, Pattern, PatternMap
from featurememory.models.pattern import PATTERNS_A_SPACE
from featurememory.resource_management.configuration import limits

_LEARNED = ["centroid", "count", "spread", "x", "y", "visits", "seen_at", "last_seen", "revision"]


def find_space(name: str) -> FeatureSpace:
    """The space without its calibration; UnknownSpace where there is none."""
    space = FeatureSpace.objects.defer("calibration").filter(name=name).first()
    if space is None:
        raise UnknownSpace(name)
    return space


def lock_space(name: str) -> FeatureSpace | None:
    """The space without its calibration, its row locked until the transaction ends."""
    return FeatureSpace.objects.select_for_update().defer("calibration").filter(name=name).first()


def make_missing_spaces(dimensions: Mapping[str, int], limit: int, now: datetime) -> None:
    """Those of the named spaces that there are not yet, while there are fewer than `limit`, and whose vectors are not
    too long; before any space's row is locked, so that no two processes can wait for each other."""
    missing = dimensions.keys() - _names(dimensions)
    if not missing:
        return
    longest = limits().constraints.max_pattern_size
    missing = {name for name in missing if dimensions[name] <= longest}
    be_alone_with(Lock.SPACES)
    missing -= _names(missing)  # by another process meanwhile
    room = max(0, limit - FeatureSpace.objects.count())
    for name in sorted(missing)[:room]:
        space = FeatureSpace.objects.create(name=name, dimension=dimensions[name], created_at=now)
        space.next_pattern = space.pk * PATTERNS_A_SPACE + 1
        space.save(update_fields=["next_pattern"])


def _names(names: Iterable[str]) -> set[str]:
    """Those of spaces that there are."""
    return set(FeatureSpace.objects.filter(name__in=list(names)).values_list("name", flat=True))


def find_pattern(pattern: int) -> Pattern:
    """The pattern, its space along; UnknownPattern where there is none."""
    found = Pattern.objects.select_related("space").defer("space__calibration").filter(pk=pattern).first()
    if found is None:
        raise UnknownPattern(pattern)
    return found


def read_patterns(space: FeatureSpace, after: int = -1) -> Iterable[patterns.Pattern]:
    """Those that changed after revision `after`, as values."""
    rows: QuerySet[Pattern] = Pattern.objects.filter(space=space, revision__gt=after)
    return map(value_of, rows.order_by("id").iterator(1_000))


def keep_plane(space: FeatureSpace, plane: Plane) -> None:
    """On which its patterns are drawn from now on."""
    PatternMap.objects.update_or_create(space=space, defaults={"axes": plane.to_bytes()})


def read_plane(space: FeatureSpace) -> Plane:
    """That of a calibrated space."""
    return Plane.from_bytes(bytes(PatternMap.objects.get(pk=space.pk).axes))


def keep_patterns(
    space: FeatureSpace, changed: Sequence[patterns.Pattern], plane: Plane, now: datetime
) -> None:
    """Writes new ones and what was learned of known ones; labels and pins are the operators'."""
    if not changed:
        return
    places = plane.places(np.stack([each.centroid for each in changed])).tolist()
    rows = [
        Pattern(
            id=each.id,
            space=space,
            centroid=vector_to_bytes(each.centroid),
            count=each.count,
            spread=each.spread,
            x=x,
            y=y,
            visits=each.visits,
            seen_at=each.seen_at,
            pinned=each.pinned,
            first_seen=now,
            last_seen=now,
            revision=space.revision,
        )
        for each, (x, y) in zip(changed, places, strict=True)
    ]
    Pattern.objects.bulk_create(
        rows, batch_size=100, update_conflicts=True, unique_fields=["id"], update_fields=_LEARNED
    )


def keep_confirmation(
    space: FeatureSpace, pattern: int, signs: list[float], correct: bool, actor: str, now: datetime
) -> list[tuple[list[float], bool]]:
    """Notes it, and gives (signs, correct) of the newest there are, oldest first; older ones go."""
    Confirmation.objects.create(
        space=space, pattern=pattern, signs=signs, correct=correct, actor=actor, at=now
    )
    kept = list(
        space.confirmations.order_by("-pk").values_list("pk", "signs", "correct")[:CONFIRMATIONS_KEPT]
    )
    space.confirmations.filter(pk__lt=kept[-1][0]).delete()
    return [(signs, correct) for _, signs, correct in reversed(kept)]


def remove_patterns(space: FeatureSpace, ids: Iterable[int]) -> None:
    Pattern.objects.filter(pk__in=list(ids)).delete()
    space.removed_in = space.revision


def count_refused(name: str, count: int) -> None:
    FeatureSpace.objects.filter(name=name).update(refused=F("refused") + count)


def value_of(row: Pattern) -> patterns.Pattern:
    return patterns.Pattern(
        id=row.id,
        centroid=vector_from_bytes(bytes(row.centroid)),
        count=row.count,
        spread=row.spread,
        visits=row.visits,
        seen_at=row.seen_at,
        pinned=row.pinned,
    )
