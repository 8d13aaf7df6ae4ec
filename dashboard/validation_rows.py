"""Kept validation results as the page lists them, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlencode

from django.db.models import QuerySet

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.optimization_rows import whole
from featurememory.models import ValidationRecord
from featurememory.validation.records import find_records
from featurememory.validation.summary import CodeCount, SourceCount

A_PAGE = 30
SHOWN = {"": "Failures", "passed": "Passed"}
EXPORTED: Columns[ValidationRecord] = {
    "id": lambda row: row.pk,
    "at": lambda row: row.at,
    "validator": lambda row: row.validator,
    "source": lambda row: row.source,
    "operation_type": lambda row: row.operation_type,
    "model": lambda row: row.model,
    "space": lambda row: row.space,
    "is_valid": lambda row: row.is_valid,
    "code": lambda row: row.code,
    "errors": lambda row: row.errors,
}
EXPORTED_CODES: Columns[CodeCount] = {
    "code": lambda row: row.code,
    "validator": lambda row: row.validator,
    "failed": lambda row: row.failed,
}
EXPORTED_SOURCES: Columns[SourceCount] = {
    "source": lambda row: row.source,
    "failed": lambda row: row.counts.failed,
    "passed": lambda row: row.counts.passed,
    "pass_rate": lambda row: row.counts.pass_rate,
}
_RANGE = ("range", "from", "to")


@dataclass(frozen=True, slots=True)
class Filter:
    """What the reader wants to see; it stands in the address beside the time range. `before`: the page that follows
    this id."""

    shown: str = ""
    validator: str = ""
    code: str = ""
    source: str = ""
    before: int | None = None
    span: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?shown=passed&validator=pattern&code=zero&source=gpu-7:1&before=90`; what makes no sense is left out."""
        shown = given.get("shown", "")
        return cls(
            shown if shown in SHOWN else "",
            _text(given, "validator"),
            _text(given, "code"),
            _text(given, "source"),
            whole(given.get("before", "")),
            {name: given[name] for name in _RANGE if name in given},
        )

    @property
    def query(self) -> str:
        named = {
            "shown": self.shown,
            "validator": self.validator,
            "code": self.code,
            "source": self.source,
            "before": self.before,
        }
        return urlencode(
            {**self.span, **{key: each for key, each in named.items() if each not in ("", None)}}
        )

    @property
    def is_set(self) -> bool:
        return any((self.validator, self.code, self.source))

    def choose(self) -> QuerySet[ValidationRecord]:
        """Those that fit it, the newest first."""
        found = find_records(
            validator=self.validator or None,
            source=self.source or None,
            code=self.code or None,
            is_valid=self.shown == "passed",
            before=self.before,
        )
        return found.defer("metadata", "warnings")

    @property
    def words(self) -> str:
        """What it asks for, as a part of a sentence."""
        named = {"validator": self.validator, "code": self.code, "source": self.source}
        return ", ".join(f"{name} {value}" for name, value in named.items() if value)

    @property
    def newest(self) -> str:
        return replace(self, before=None).query

    @property
    def all(self) -> str:
        """The query of the list without this filter."""
        return Filter(self.shown, span=self.span).query

    def showing(self, shown: str) -> str:
        return replace(self, shown=shown, before=None).query

    def of(self, *, validator: str = "", code: str = "", source: str = "") -> str:
        """The query of the failures that just these name."""
        return Filter(validator=validator, code=code, source=source, span=self.span).query


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()[:200]


@dataclass(frozen=True, slots=True)
class RecordList:
    rows: Sequence[ValidationRecord]
    older: str
    """What a link to where the list goes on needs; empty at its end."""


def list_records(chosen: Filter) -> RecordList:
    """A page of them; one query."""
    rows = list(chosen.choose()[: A_PAGE + 1])
    older = replace(chosen, before=rows[A_PAGE - 1].pk).query if len(rows) > A_PAGE else ""
    return RecordList(rows[:A_PAGE], older)


def exported(chosen: Filter) -> Iterator[ValidationRecord]:
    """The newest that the filter finds; one query."""
    return replace(chosen, before=None).choose()[:MOST_ROWS].iterator(AT_ONCE)
