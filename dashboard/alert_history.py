"""Alerts that are over, the newest first, a page at a time however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from dashboard.alert_rows import AlertRow
from dashboard.alert_words import SEVERITIES
from dashboard.file_columns import AT_ONCE, MOST_ROWS
from featurememory.models import Alert

A_PAGE = 50


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """`before`: the page that follows this moment and id."""

    severity: str = ""
    name: str = ""
    text: str = ""
    before: tuple[datetime, int] | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?severity=critical&name=Breaker+open&text=whisper&before=…`; what makes no sense is left out."""
        severity = given.get("severity", "")
        return cls(
            severity if severity in SEVERITIES else "",
            _text(given, "name"),
            _text(given, "text"),
            read_cursor(given.get("before", "")),
        )

    @property
    def query(self) -> str:
        given = {
            "severity": self.severity,
            "name": self.name,
            "text": self.text,
            "before": write_cursor(*self.before) if self.before else "",
        }
        return urlencode({key: value for key, value in given.items() if value})

    @property
    def is_set(self) -> bool:
        return replace(self, before=None) != HistoryFilter()

    @property
    def newest(self) -> str:
        return replace(self, before=None).query

    @property
    def by_severity(self) -> dict[str, str]:
        """What a link to the same list with that severity needs; "" for all."""
        return {each: replace(self, severity=each, before=None).query for each in ("", *SEVERITIES)}

    def choose(self) -> QuerySet[Alert]:
        rows = (
            Alert.objects.select_related("rule")
            .filter(state=Alert.State.RESOLVED)
            .order_by("-started_at", "-pk")
        )
        if self.severity:
            rows = rows.filter(severity=self.severity)
        if self.name:
            rows = rows.filter(name=self.name)
        if self.text:
            rows = rows.filter(Q(name__icontains=self.text) | Q(summary__icontains=self.text))
        if self.before:
            at, pk = self.before
            rows = rows.filter(Q(started_at__lt=at) | Q(started_at=at, pk__lt=pk))
            rows = rows.filter(started_at__lte=at)
        return rows


@dataclass(frozen=True, slots=True)
class History:
    """`older`: what a link to where the list goes on needs; empty at its end."""

    rows: tuple[AlertRow, ...]
    older: str
    any_ever: bool


def list_history(chosen: HistoryFilter) -> History:
    """Two queries at most."""
    found = list(chosen.choose()[: A_PAGE + 1])
    rows = [AlertRow(each) for each in found[:A_PAGE]]
    older = ""
    if len(found) > A_PAGE:
        last = rows[-1].alert
        older = replace(chosen, before=(last.started_at, last.pk)).query
    any_ever = bool(found) or Alert.objects.filter(state=Alert.State.RESOLVED).exists()
    return History(tuple(rows), older, any_ever)


def exported(chosen: HistoryFilter) -> Iterator[Alert]:
    """The newest that the filter finds; one query."""
    return replace(chosen, before=None).choose()[:MOST_ROWS].iterator(AT_ONCE)


def write_cursor(at: datetime, pk: int) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{pk}"


def read_cursor(text: str) -> tuple[datetime, int] | None:
    """None where it makes no sense."""
    moment, _, pk = text.rpartition("-")
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC), int(pk)
    except ValueError:
        return None


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()[:200]
