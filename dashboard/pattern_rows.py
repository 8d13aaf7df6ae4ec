"""A space's patterns as the list shows them, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.pattern_spaces import patterns_of, spread_words
from dashboard.words import PATTERN_MARKS, Look
from featurememory.models import FeatureSpace, Pattern
from featurememory.models.pattern import PATTERNS_A_SPACE

PAGE = 50
EXPORTED: Columns[Pattern] = {
    "id": lambda row: row.pk,
    "number": lambda row: row.number,
    "label": lambda row: row.label,
    "is_pinned": lambda row: row.pinned,
    "is_provisional": lambda row: row.provisional,
    "seen": lambda row: row.count,
    "spread": lambda row: row.spread,
    "first_seen": lambda row: row.first_seen,
    "last_seen": lambda row: row.last_seen,
}
KINDS = {"": "All", "labelled": "Labelled", **{key: look.word for key, look in PATTERN_MARKS.items()}}
ORDERS = {"newest": "Newest", "seen": "Most seen"}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the reader wants to see; it stands in the address."""

    kind: str = ""
    """One of KINDS."""
    text: str = ""
    """Part of a label, or a number."""
    order: str = "newest"
    after: tuple[int, ...] = ()
    """Where the page before ended: an id, and for "seen" the count before it."""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?kind=pinned&text=drums&order=seen&after=12-1000000007`; what makes no sense is left out."""
        order = given.get("order", "")
        order = order if order in ORDERS else "newest"
        after = [each for each in given.get("after", "").split("-") if _is_number(each)]
        fits = len(after) == (2 if order == "seen" else 1)
        kind = given.get("kind", "")
        return cls(
            kind if kind in KINDS else "",
            given.get("text", "").replace("\0", "").strip(),
            order,
            tuple(map(int, after)) if fits else (),
        )

    def query(self, space: FeatureSpace) -> str:
        given = {
            "space": space.name,
            "kind": self.kind,
            "text": self.text,
            "order": self.order if self.order != "newest" else "",
            "after": "-".join(map(str, self.after)),
        }
        return urlencode({key: value for key, value in given.items() if value})

    @property
    def first_page(self) -> Filter:
        return replace(self, after=())

    @property
    def narrows(self) -> bool:
        return bool(self.kind or self.text)

    def choose(self, space: FeatureSpace) -> QuerySet[Pattern]:
        """What fits it, in order, from where the page before ended."""
        rows = patterns_of(space)
        if self.order == "seen":
            rows = Pattern.objects.filter(space=space).defer("centroid").order_by("-count", "-pk")
            if self.after:
                count, id = self.after
                rows = rows.filter(Q(count__lt=count) | Q(pk__lt=id), count__lte=count)
        elif self.after:
            rows = rows.filter(pk__lt=self.after[0])
        if self.text:
            rows = rows.filter(self._named(space))
        return rows.filter(_of_kind(self.kind))

    def _named(self, space: FeatureSpace) -> Q:
        named = Q(label__icontains=self.text)
        if _is_number(self.text):
            named |= Q(pk__in=(int(self.text), space.pk * PATTERNS_A_SPACE + int(self.text)))
        return named


@dataclass(frozen=True, slots=True)
class PatternRow:
    pattern: Pattern
    marks: tuple[Look, ...]
    spread: str


@dataclass(frozen=True, slots=True)
class PatternRows:
    """One page; `following` is the filter of the next."""

    rows: tuple[PatternRow, ...]
    following: Filter | None


def list_patterns(space: FeatureSpace, chosen: Filter, tau: float) -> PatternRows:
    """One query."""
    found = list(chosen.choose(space)[: PAGE + 1])
    shown = found[:PAGE]
    following = None
    if len(found) > PAGE:
        last = shown[-1]
        place = (last.count, last.pk) if chosen.order == "seen" else (last.pk,)
        following = replace(chosen, after=place)
    return PatternRows(tuple(show(pattern, tau) for pattern in shown), following)


def exported(space: FeatureSpace, chosen: Filter) -> Iterator[Pattern]:
    """All that the filter finds, in its order; one query."""
    return chosen.first_page.choose(space)[:MOST_ROWS].iterator(AT_ONCE)


def show(pattern: Pattern, tau: float) -> PatternRow:
    held = {"pinned": pattern.pinned, "provisional": pattern.provisional}
    marks = tuple(PATTERN_MARKS[mark] for mark, holds in held.items() if holds)
    return PatternRow(pattern, marks, spread_words(pattern, tau))


def _of_kind(kind: str) -> Q:
    from featurememory.core.patterns import PROVISIONAL_BELOW

    return {
        "": Q(),
        "labelled": ~Q(label=""),
        "pinned": Q(pinned=True),
        "provisional": Q(count__lt=PROVISIONAL_BELOW),
    }[kind]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
