"""Patterns of another installation, taken in where they are comparable: into a known one where they are like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from featurememory.core import patterns
from featurememory.core.features import Vector
from featurememory.core.projection import Plane
from featurememory.core.spaces import Space
from featurememory.core.storage import (
    keep_patterns,
    keep_plane,
    lock_space,
    make_missing_spaces,
    read_patterns,
    read_plane,
)
from featurememory.errors import ResourceConstraintError, ValidationError
from featurememory.models import FeatureSpace, Pattern


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One pattern as it was known elsewhere; `centroid` at length 1, in that space's calibration."""

    centroid: Vector
    count: int
    spread: float
    visits: float
    label: str = ""
    pinned: bool = False


class Landed(NamedTuple):
    """Which pattern an arrival is here, and whether there was one before."""

    pattern: int
    was_known: bool


def take_in(
    name: str,
    dimension: int,
    calibration: Mapping[str, Any],
    plane: Plane,
    arrivals: Mapping[int, Arrival],
    *,
    max_spaces: int,
    max_patterns: int,
    now: datetime,
) -> dict[int, Landed]:
    """What became of each arrival, by its key. Inside the caller's transaction. The space is made if there is none, and
    takes over calibration and plane while it has none; ValidationError where it is calibrated otherwise, and
    ResourceConstraintError where there is no room."""
    make_missing_spaces({name: dimension}, max_spaces, now)
    row = lock_space(name)
    if row is None:
        raise ResourceConstraintError(
            f"There are {max_spaces} feature spaces already: raise FEATUREMEMORY_MAX_SPACES.",
            resource="spaces",
            limit=max_spaces,
        )
    space = _calibrated(row, dimension, calibration, plane)
    known = list(read_patterns(row))
    here = {each.id: each for each in known}
    centroids = np.stack([each.centroid for each in known]) if known else np.empty((0, dimension), np.float32)
    landed: dict[int, Landed] = {}
    changed: dict[int, patterns.Pattern] = {}
    labels: dict[int, str] = {}
    for key, arrival in arrivals.items():
        cosines = centroids @ arrival.centroid
        best = int(cosines.argmax()) if len(cosines) else -1
        is_known = best >= 0 and float(cosines[best]) >= space.tau
        id = known[best].id if is_known else row.next_pattern
        came = patterns.Pattern(
            id, arrival.centroid, arrival.count, arrival.spread, arrival.visits, row.seen, arrival.pinned
        )
        changed[id] = patterns.merged(changed.get(id, here[id]), came) if is_known else came
        row.next_pattern += not is_known
        landed[key] = Landed(id, is_known)
        if arrival.label:
            labels[id] = arrival.label
    if len(here.keys() | changed.keys()) > max_patterns:
        raise ResourceConstraintError(
            f"{name!r} would have {len(here.keys() | changed.keys())} patterns, more than {max_patterns}: raise "
            "FEATUREMEMORY_MAX_PATTERNS.",
            resource="patterns",
            limit=max_patterns,
        )
    row.revision += 1
    keep_patterns(row, list(changed.values()), read_plane(row), now)
    for id, label in labels.items():
        Pattern.objects.filter(pk=id, label="").update(label=label)
    row.save(update_fields=["version", "calibration", "seen", "next_pattern", "revision"])
    return landed


def _calibrated(row: FeatureSpace, dimension: int, calibration: Mapping[str, Any], plane: Plane) -> Space:
    arriving = Space.from_mapping(calibration)
    if row.dimension != dimension:
        raise _refused(row.name, f"it has {row.dimension} dimensions here, {dimension} there")
    if not row.version:
        row.version, row.calibration, row.seen = arriving.version, dict(calibration), 0
        row.warm_up.all().delete()
        keep_plane(row, plane)
        return arriving
    own = FeatureSpace.objects.values_list("calibration", flat=True).get(pk=row.pk)
    if own != dict(calibration):
        raise _refused(
            row.name,
            "it was calibrated by other vectors here, so that its patterns cannot be compared: import it under another "
            "name (--space OLD=NEW), and send features under that name",
        )
    return arriving


def _refused(name: str, why: str) -> ValidationError:
    message = f"The feature space {name!r} cannot be taken in: {why}."
    return ValidationError(message, [{"field": "space", "code": "not_comparable", "message": why}])
