"""All that the page of one pattern shows, read at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from django.shortcuts import get_object_or_404

from dashboard.pattern_map import PatternMap, draw_around
from dashboard.pattern_rows import PatternRow, show
from dashboard.pattern_spaces import read_tau
from dashboard.words import OUTCOMES, Look
from featurememory.models import Operation, Pattern
from featurememory.observability.operations import find_operations

NEAREST_SHOWN = 6
OPERATIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class NearPattern:
    """`is_alike`: as similar as two inputs of one pattern are."""

    pattern: Pattern
    similarity: float
    is_alike: bool


@dataclass(frozen=True, slots=True)
class PatternPage:
    row: PatternRow
    tau: float
    nearest: tuple[NearPattern, ...]
    operations: tuple[tuple[Look, Operation], ...]
    chart: PatternMap

    @property
    def share(self) -> float:
        """Of the vectors that its space has taken in."""
        pattern = self.row.pattern
        return min(pattern.count / max(pattern.space.seen, 1), 1.0)

    @property
    def reach(self) -> float:
        """The distance from its middle up to which an input belongs to it."""
        return 1 - self.tau


def read_pattern_page(pattern: Pattern) -> PatternPage:
    """Eight queries, and what this process has not read yet of the space's patterns."""
    tau = read_tau(pattern.space)
    nearest = read_nearest(pattern, tau)
    total = Pattern.objects.filter(space=pattern.space).count()
    operations = find_operations(count=OPERATIONS_SHOWN, pattern=pattern.pk)
    return PatternPage(
        row=show(pattern, tau),
        tau=tau,
        nearest=nearest,
        operations=tuple((OUTCOMES[each.outcome], each) for each in operations),
        chart=draw_around(pattern, {near.pattern.pk for near in nearest}, total),
    )


def read_pattern(id: int) -> Pattern:
    """With its space; Http404 where there is none, or not any more."""
    rows = Pattern.objects.select_related("space").defer("centroid", "space__calibration")
    return get_object_or_404(rows, pk=id)


def read_nearest(pattern: Pattern, tau: float) -> tuple[NearPattern, ...]:
    """The most similar first; two queries, and what this process has not read yet of the space's patterns."""
    from featurememory.core.registry import spaces

    found = dict(spaces().nearest_to(pattern.space.name, pattern.pk, NEAREST_SHOWN))
    rows = Pattern.objects.defer("centroid").in_bulk(list(found))
    return tuple(
        NearPattern(rows[id], similarity, similarity >= tau) for id, similarity in found.items() if id in rows
    )
