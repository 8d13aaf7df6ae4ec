"""All that the page of one pattern shows."""

from __future__ import annotations

from dataclasses import dataclass

from django.shortcuts import get_object_or_404
from django.utils import timezone

from dashboard.file_columns import Columns
from dashboard.optimization_rows import OptimizationRow, list_best
from dashboard.pattern_map import PatternMap, draw_around
from dashboard.pattern_rows import PatternRow, show
from dashboard.pattern_spaces import read_tau
from dashboard.words import OUTCOMES, Look
from featurememory.models import Operation, Pattern
from featurememory.observability.operation_search import Search, search_operations

NEAREST_SHOWN = 6
OPERATIONS_SHOWN = 10
OPTIMIZATIONS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class NearPattern:
    """`is_alike`: as similar as two inputs of one pattern are."""

    pattern: Pattern
    similarity: float
    is_alike: bool


EXPORTED_NEAREST: Columns[NearPattern] = {
    "id": lambda near: near.pattern.pk,
    "number": lambda near: near.pattern.number,
    "label": lambda near: near.pattern.label,
    "seen": lambda near: near.pattern.count,
    "similarity": lambda near: near.similarity,
    "is_alike": lambda near: near.is_alike,
}


@dataclass(frozen=True, slots=True)
class PatternFacts:
    """What the page asks for again and again."""

    row: PatternRow
    tau: float
    operations: tuple[tuple[Look, Operation], ...]
    best: list[OptimizationRow]
    """What gains most in it."""

    @property
    def query(self) -> str:
        """Of lists of what belongs to it."""
        return f"pattern={self.row.pattern.pk}"

    @property
    def share(self) -> float:
        """Of the vectors that its space has taken in."""
        pattern = self.row.pattern
        return min(pattern.count / max(pattern.space.seen, 1), 1.0)

    @property
    def reach(self) -> float:
        """The distance from its middle up to which an input belongs to it."""
        return 1 - self.tau


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What the page shows as of its loading: in a process that had no use for the space yet it takes reading it."""

    nearest: tuple[NearPattern, ...]
    chart: PatternMap


def read_facts(pattern: Pattern) -> PatternFacts:
    """Six queries."""
    tau = read_tau(pattern.space)
    operations = search_operations(Search(pattern=pattern.pk), OPERATIONS_SHOWN).rows
    best = list_best(pattern.pk, OPTIMIZATIONS_SHOWN, timezone.now())
    shown = tuple((OUTCOMES[each.outcome], each) for each in operations)
    return PatternFacts(show(pattern, tau), tau, shown, best)


def read_neighbourhood(pattern: Pattern, tau: float) -> Neighbourhood:
    """Five queries, and those of `read_nearest`."""
    nearest = read_nearest(pattern, tau)
    total = Pattern.objects.filter(space=pattern.space).count()
    return Neighbourhood(nearest, draw_around(pattern, {near.pattern.pk for near in nearest}, total))


def read_pattern(id: int) -> Pattern:
    """With its space; Http404 where there is none, or not any more."""
    rows = Pattern.objects.select_related("space").defer("centroid", "space__calibration")
    return get_object_or_404(rows, pk=id)


def read_nearest(pattern: Pattern, tau: float) -> tuple[NearPattern, ...]:
    """The most similar first; two queries, and what the registry has to read."""
    from featurememory.integration.spaces import spaces

    found = dict(spaces().nearest_to(pattern.space.name, pattern.pk, NEAREST_SHOWN))
    rows = Pattern.objects.defer("centroid").in_bulk(list(found))
    return tuple(
        NearPattern(rows[id], similarity, similarity >= tau) for id, similarity in found.items() if id in rows
    )
