"""Operations as the list shows them: what was asked for, in the address and in words, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any, Self, cast
from urllib.parse import urlencode

from dashboard.alert_history import read_cursor, write_cursor
from dashboard.file_columns import AT_ONCE, MOST_ROWS
from dashboard.optimization_rows import whole
from dashboard.timerange import DEFAULT, TimeRange
from dashboard.words import OUTCOMES, Look, duration, pattern_name
from featurememory.models import Operation, Pattern, Series
from featurememory.models.pattern import PATTERNS_A_SPACE
from featurememory.observability.operation_search import (
    FAILED_OUTCOME,
    Found,
    Order,
    Place,
    Search,
    search_operations,
)

A_PAGE = 50
MOST_STRETCHES = 20
"""So often an export looks further back for what has no index, LOOKED_THROUGH operations each time."""
ANY_TIME = "any"
MOST_SERIES = 1_000
ORDERS = {"newest": "Newest first", "slowest": "Slowest first"}
OUTCOME_WORDS = {FAILED_OUTCOME: "failed", **{key: look.word.lower() for key, look in OUTCOMES.items()}}
_TEXTS = {
    "operation_type": "type",
    "model": "model",
    "breaker": "breaker",
    "trace_id": "trace",
    "instance": "process",
    "error_type": "error type",
}
_TIMES = ("range", "from", "to")
EXPORTED = (
    "id",
    "started_at",
    "received_at",
    "operation_type",
    "model",
    "outcome",
    "duration_ms",
    "score",
    "error_type",
    "error_message",
    "pattern",
    "recommendation",
    "breaker",
    "instance",
    "trace_id",
    "span_id",
    "parameters",
    "attributes",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that was asked for, as words, and the list without it."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What the reader wants to see; it stands in the address. `span`: the time range's own part of the address, as
    pairs; `before`: the page that follows this place."""

    operation_type: str = ""
    model: str = ""
    outcome: str = ""
    breaker: str = ""
    trace_id: str = ""
    instance: str = ""
    error_type: str = ""
    pattern: int | None = None
    min_ms: float | None = None
    order: str = "newest"
    span: tuple[tuple[str, str], ...] = ()
    before: Place | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?operation_type=embed&outcome=failed&min_ms=500&range=6h&before=…`; what makes no sense is left out."""
        outcome, order = given.get("outcome", ""), given.get("order", "")
        return cls(
            **{name: _text(given, name) for name in _TEXTS},
            outcome=outcome if outcome in OUTCOME_WORDS else "",
            pattern=whole(given.get("pattern", "")),
            min_ms=_milliseconds(given.get("min_ms", "")),
            order=order if order in ORDERS else "newest",
            span=tuple((name, given[name]) for name in _TIMES if given.get(name)),
            before=read_cursor(given.get("before", "")),
        )

    @property
    def is_any_time(self) -> bool:
        """Also what belongs to one trace or pattern is looked for at any time, unless one is given."""
        return dict(self.span).get("range") == ANY_TIME or bool(
            not self.span and (self.trace_id or self.pattern is not None)
        )

    @property
    def kind(self) -> dict[str, str]:
        """Operation type and model, as far as they are asked for."""
        kind = {"operation_type": self.operation_type, "model": self.model}
        return {name: each for name, each in kind.items() if each}

    @property
    def narrows_further(self) -> bool:
        """Whether more is asked for than these two."""
        return bool(self.given.keys() - {"operation_type", "model", "order"})

    @property
    def is_relative(self) -> bool:
        return "from" not in dict(self.span) and "to" not in dict(self.span)

    @property
    def is_live(self) -> bool:
        """Whether new operations belong into it while it is open."""
        return self.before is None and self.is_relative and self.order == "newest"

    @property
    def given(self) -> dict[str, str]:
        """Everything that is asked for but time and page, as the address has it."""
        named = {name: getattr(self, name) for name in (*_TEXTS, "outcome")}
        if self.pattern is not None:
            named["pattern"] = str(self.pattern)
        if self.min_ms is not None:
            named["min_ms"] = f"{self.min_ms:g}"
        if self.order != "newest":
            named["order"] = self.order
        return {name: value for name, value in named.items() if value}

    @property
    def query(self) -> str:
        page = {"before": write_cursor(*self.before)} if self.before else {}
        return urlencode({**self.given, **dict(self.span), **page})

    @property
    def newest(self) -> str:
        return replace(self, before=None).query

    @property
    def all(self) -> str:
        """The list of the same time without any condition."""
        return OperationFilter(span=self.span).query

    def after(self, place: Place) -> str:
        return replace(self, before=place).query

    @property
    def any_time(self) -> str:
        return self.at(ANY_TIME)

    def at(self, preset: str) -> str:
        """The same in another time range."""
        return replace(self, span=(("range", preset),), before=None).query

    def ordered(self, order: str) -> str:
        return replace(self, order=order, before=None).query

    def search(self, time_range: TimeRange) -> Search:
        wanted: dict[str, Any] = {name: getattr(self, name) or None for name in (*_TEXTS, "outcome")}
        if not self.is_any_time:
            wanted |= {"since": time_range.span.start, "until": time_range.span.end}
        return Search(**wanted, pattern=self.pattern, min_ms=self.min_ms, before=self.before)

    def conditions(self, label: str = "") -> list[Condition]:
        """Each in words; `label` is the pattern's."""
        first = replace(self, before=None)
        told = [
            Condition(f"{word} {getattr(self, name)}", replace(first, **cast("Any", {name: ""})).query)
            for name, word in _TEXTS.items()
            if getattr(self, name)
        ]
        if self.outcome:
            told.append(Condition(OUTCOME_WORDS[self.outcome], replace(first, outcome="").query))
        if self.pattern is not None:
            name = pattern_name(self.pattern % PATTERNS_A_SPACE, label)
            told.append(Condition(name, replace(first, pattern=None).query))
        if self.min_ms is not None:
            told.append(
                Condition(f"took {duration(self.min_ms)} or longer", replace(first, min_ms=None).query)
            )
        return told


@dataclass(frozen=True, slots=True)
class OperationRow:
    operation: Operation
    look: Look
    pattern: str
    """Its name; empty where it has none."""


@dataclass(frozen=True, slots=True)
class OperationList:
    """`older`, `further`: what a link to where the list goes on needs, after the last one that was found or the last
    one that was looked at; empty where there is none. `looked_back_to`: the moment of the latter."""

    rows: tuple[OperationRow, ...]
    older: str = ""
    further: str = ""
    looked_back_to: datetime | None = None


def list_operations(chosen: OperationFilter, time_range: TimeRange) -> OperationList:
    """A page of them; six queries at most."""
    found = search_operations(chosen.search(time_range), A_PAGE, cast("Order", chosen.order))
    rows = tuple(_rows(found))
    if found.looked_back_to is not None:
        return OperationList(rows, "", chosen.after(found.looked_back_to), found.looked_back_to[0])
    return OperationList(rows, chosen.after(found.next) if found.next else "")


def _rows(found: Found) -> Iterator[OperationRow]:
    labels = pattern_labels(each.pattern for each in found.rows)
    for each in found.rows:
        name = ""
        if each.pattern is not None:
            name = labels.get(each.pattern) or f"Pattern {each.pattern % PATTERNS_A_SPACE}"
        yield OperationRow(each, OUTCOMES[each.outcome], name)


def pattern_labels(patterns: Iterable[int | None]) -> dict[int, str]:
    """One query."""
    wanted = {each for each in patterns if each is not None}
    return dict(Pattern.objects.filter(pk__in=wanted).values_list("pk", "label")) if wanted else {}


def exported(chosen: OperationFilter, time_range: TimeRange) -> Iterator[list[Any]]:
    """A row each of what the filter finds, the newest MOST_ROWS, AT_ONCE a query."""
    search, sent, stretches = replace(chosen.search(time_range), before=None), 0, 0
    while sent < MOST_ROWS and stretches < MOST_STRETCHES:
        found = search_operations(search, min(AT_ONCE, MOST_ROWS - sent))
        for each in found.rows:
            yield [getattr(each, name) for name in EXPORTED]
        if found.next is None:
            return
        sent += len(found.rows)
        stretches += found.looked_back_to is not None
        search = replace(search, before=found.next)


@dataclass(frozen=True, slots=True)
class Known:
    """What may be chosen from."""

    operation_types: list[str]
    models: list[str]


def read_known(chosen: OperationFilter) -> Known:
    """The series that were seen, up to MOST_SERIES; and what is chosen already. One query."""
    pairs = list(Series.objects.values_list("operation_type", "model")[:MOST_SERIES])
    types = {each for each, _ in pairs} | {chosen.operation_type}
    of_type = {model for each, model in pairs if chosen.operation_type in ("", each)} | {chosen.model}
    return Known(sorted(types - {""}), sorted(of_type - {""}))


def read_span(chosen: OperationFilter) -> dict[str, str]:
    """What the time range is read from."""
    span = dict(chosen.span)
    return {"range": DEFAULT} if span.get("range") == ANY_TIME else span


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()[:401]


def _milliseconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None
