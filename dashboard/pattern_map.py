"""A space's patterns on a plane: what Plotly draws, and the same points as rows for table and CSV.

Where a pattern lies was written down with its centroid (core/projection.py): nothing here moves a point. Figures carry
no colour, as those of charts.py; shapes tell kinds apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any, NamedTuple

from dashboard.words import plural
from featurememory.models import FeatureSpace, Pattern
from featurememory.models.pattern import name_of

MOST = 500
AROUND = 200
"""Patterns drawn around one that the map is about."""
_ROUNDED_TO = 0.1
_KINDS = {
    (False, False): "",
    (False, True): "provisional",
    (True, False): "pinned",
    (True, True): "pinned and provisional",
}
_COLUMNS = ("pk", "label", "pinned", "count", "x", "y")


class Point(NamedTuple):
    id: int
    name: str
    kind: str
    """In words: "pinned", "provisional" and so on; empty for an ordinary one."""
    seen: int
    x: float
    y: float


class Sort(NamedTuple):
    """One kind of points; `symbol` in Plotly's words, `ink` the colour's name."""

    name: str
    ink: str
    symbol: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class PatternMap:
    figure: dict[str, Any]
    points: tuple[Point, ...]
    """The most seen first."""
    words: str
    """Which patterns these are."""


def draw_map(space: FeatureSpace, total: int) -> PatternMap:
    """Up to MOST patterns, the most seen; one query."""
    from featurememory.core.patterns import PROVISIONAL_BELOW

    points = _points(_most_seen(space, MOST))
    pinned = [each for each in points if "pinned" in each.kind]
    provisional = [each for each in points if each.kind == "provisional"]
    sorts = (
        Sort(
            f"seen {PROVISIONAL_BELOW} times or more",
            "pattern",
            "circle",
            [each for each in points if not each.kind],
        ),
        Sort("provisional", "provisional", "circle-open", provisional),
        Sort("pinned", "pinned", "diamond", pinned),
    )
    words = plural(total, "pattern")
    if total > len(points):
        words = f"the {len(points):,} most seen of {words}"
    return PatternMap(_figure(sorts), tuple(points), words)


def draw_around(pattern: Pattern, nearest: Collection[int], total: int) -> PatternMap:
    """One pattern among the AROUND most seen of its space and its nearest; two queries."""
    space = pattern.space
    rows = {row[0]: row for row in _most_seen(space, AROUND)}
    missing = {pattern.pk, *nearest} - rows.keys()
    rows |= {row[0]: row for row in Pattern.objects.filter(pk__in=missing).values_list(*_COLUMNS)}
    points = _points(rows.values())
    sorts = (
        Sort(
            "others", "provisional", "circle-open", [e for e in points if e.id not in {pattern.pk, *nearest}]
        ),
        Sort("nearest", "pattern", "circle", [each for each in points if each.id in nearest]),
        Sort(pattern.name, "here", "star", [each for each in points if each.id == pattern.pk]),
    )
    points.sort(key=lambda each: -each.seen)
    words = plural(total, "pattern")
    if total > len(points):
        words = f"it, its nearest and the {AROUND} most seen of {words}"
    return PatternMap(_figure(sorts), tuple(points), words)


def _most_seen(space: FeatureSpace, most: int) -> Iterable[tuple[int, str, bool, int, float, float]]:
    rows = Pattern.objects.filter(space=space).order_by("-count", "-pk")
    return rows.values_list(*_COLUMNS)[:most]


def _points(rows: Iterable[tuple[int, str, bool, int, float, float]]) -> list[Point]:
    from featurememory.core.patterns import PROVISIONAL_BELOW

    return [
        Point(
            id, name_of(id, label), _KINDS[pinned, count < PROVISIONAL_BELOW], count, round(x, 4), round(y, 4)
        )
        for id, label, pinned, count, x, y in rows
    ]


def _figure(sorts: Sequence[Sort]) -> dict[str, Any]:
    points = [point for sort in sorts for point in sort.points]
    axis = {"showgrid": True, "showticklabels": False, "ticks": "", "nticks": 9}
    return {
        "data": [_trace(sort) for sort in sorts if sort.points],
        "layout": {
            "xaxis": axis | {"range": _range([point.x for point in points])},
            "yaxis": axis | {"range": _range([point.y for point in points])},
            "hovermode": "closest",
            "showlegend": True,
            "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        },
    }


def _trace(sort: Sort) -> dict[str, Any]:
    symbols = [sort.symbol] * len(sort.points)
    if sort.symbol == "diamond":
        symbols = ["diamond-open" if "provisional" in point.kind else "diamond" for point in sort.points]
    larger = 5 if sort.symbol in ("star", "diamond") else 0
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(sort.name),
        "meta": sort.ink,
        "x": [point.x for point in sort.points],
        "y": [point.y for point in sort.points],
        "customdata": [point.id for point in sort.points],
        "text": [_hover(point) for point in sort.points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": symbols,
            "size": [_size(point.seen) + larger for point in sort.points],
            "opacity": 0.8,
            "line": {"width": [2 if each.endswith("-open") else 1 for each in symbols]},
        },
    }


def _hover(point: Point) -> str:
    """Plotly reads it as a kind of HTML."""
    kind = f", {point.kind}" if point.kind else ""
    return f"{escape(point.name)}<br>seen {plural(point.seen, 'time')}{kind}"


def _size(count: int) -> float:
    """A diameter in pixels."""
    return round(min(6 + 4 * log10(max(count, 1)), 24), 1)


def _range(values: Sequence[float]) -> list[float]:
    """Around all values with a margin, in steps, so that it seldom changes."""
    low, high = min(values, default=-1), max(values, default=1)
    steps = 1 / _ROUNDED_TO
    return [floor((low - 0.03) * steps) / steps, ceil((high + 0.03) * steps) / steps]
