"""The audit as a page lists it, the newest first, however many entries there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from dashboard.alert_history import read_cursor, write_cursor
from dashboard.audit_words import ACTIONS, Difference, differences, in_words, page_of
from dashboard.file_columns import AT_ONCE, MOST_ROWS
from featurememory.models import AuditEntry

A_PAGE = 50
LOOKED_THROUGH = 20_000
"""Entries that a page looks through for a text: it is in no index."""
RANGES = {
    "24h": (timedelta(hours=24), "24 h"),
    "7d": (timedelta(days=7), "7 d"),
    "30d": (timedelta(days=30), "30 d"),
}
PRESETS = (
    ("Breaker resets, last 24 h", {"action": "breaker.reset", "range": "24h"}),
    ("Forced open, last 7 d", {"action": "breaker.force_open", "range": "7d"}),
    ("Limits and retention", {"action": "resources.configure"}),
    ("Keys made", {"action": "api_key.create"}),
    ("Roles", {"action": "person.role"}),
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """`before`: the page that follows this moment and id. `problem` says what of the address made no sense."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    text: str = ""
    range: str = ""
    start: datetime | None = None
    end: datetime | None = None
    before: tuple[datetime, int] | None = None
    problem: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?actor=olga&action=breaker.reset&subject=…&text=…&range=24h`, or `from=` and `to=`, each in ISO 8601."""
        problems: list[str] = []
        start, end = (_moment(given.get(name, ""), name, problems) for name in ("from", "to"))
        chosen = given.get("range", "")
        if chosen and chosen not in RANGES:
            problems.append(f"“{chosen}” is no range; choose one of {', '.join(RANGES)}.")
        return cls(
            _text(given, "actor"),
            _text(given, "action"),
            given.get("subject", "").replace("\0", "")[:500],
            _text(given, "text"),
            chosen if chosen in RANGES and not (start or end) else "",
            start,
            end,
            read_cursor(given.get("before", "")),
            " ".join(problems),
        )

    @property
    def query(self) -> str:
        given = {
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "text": self.text,
            "range": self.range,
            "from": _iso(self.start),
            "to": _iso(self.end),
            "before": write_cursor(*self.before) if self.before else "",
        }
        return urlencode({key: value for key, value in given.items() if value})

    @property
    def newest(self) -> str:
        return replace(self, before=None).query

    @property
    def is_set(self) -> bool:
        return replace(self, before=None, problem="") != AuditFilter()

    @property
    def by_range(self) -> dict[str, str]:
        """What a link to the same list over that range needs; "" for all."""
        return {
            each: replace(self, range=each, start=None, end=None, before=None).query for each in ("", *RANGES)
        }

    def choose(self, now: datetime) -> QuerySet[AuditEntry]:
        """Each by an index that ends in the moment; the text is not among them."""
        rows = AuditEntry.objects.order_by("-at", "-pk")
        for name in ("actor", "action", "subject"):
            if value := getattr(self, name):
                rows = rows.filter(**{name: value})
        start = now - RANGES[self.range][0] if self.range else self.start
        if start is not None:
            rows = rows.filter(at__gte=start)
        if self.end is not None:
            rows = rows.filter(at__lt=self.end)
        if self.before is not None:
            at, pk = self.before
            rows = rows.filter(at__lte=at).filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
        return rows


@dataclass(frozen=True, slots=True)
class AuditRow:
    entry: AuditEntry
    may: Callable[[str], bool]
    """Whether the reader has a permission."""

    @property
    def did(self) -> str:
        """Completes "NAME ..."."""
        words = in_words(self.entry.action)
        return words[0].lower() + words[1:]

    @property
    def differences(self) -> list[Difference]:
        return differences(self.entry.before, self.entry.after)

    @property
    def page(self) -> str:
        return page_of(self.entry.action, self.entry.subject, self.entry.after, self.may)

    @property
    def by_actor(self) -> str:
        return AuditFilter(actor=self.entry.actor).query

    @property
    def by_subject(self) -> str:
        return AuditFilter(subject=self.entry.subject).query


@dataclass(frozen=True, slots=True)
class AuditList:
    """`older`: what a link to where the list goes on needs; empty at its end. `looked_back_to`: where a search for a
    text had looked through enough."""

    rows: tuple[AuditRow, ...]
    older: str
    any_ever: bool
    looked_back_to: datetime | None = None


def list_entries(chosen: AuditFilter, now: datetime, may: Callable[[str], bool]) -> AuditList:
    """Three queries at most."""
    rows = chosen.choose(now)
    edge = None
    if chosen.text:
        edge = rows.values_list("at", "pk")[LOOKED_THROUGH : LOOKED_THROUGH + 1].first()
        rows = _holding(rows, chosen.text, edge)
    found = list(rows[: A_PAGE + 1])
    shown, older = found[:A_PAGE], ""
    if len(found) > A_PAGE:
        older = replace(chosen, before=(shown[-1].at, shown[-1].pk)).query
    elif edge is not None:
        older = replace(chosen, before=edge).query
    any_ever = bool(found) or AuditEntry.objects.exists()
    looked_back_to = edge[0] if edge is not None and len(found) <= A_PAGE else None
    return AuditList(tuple(AuditRow(each, may) for each in shown), older, any_ever, looked_back_to)


def entries_to_keep(chosen: AuditFilter, now: datetime) -> Iterator[AuditEntry]:
    """The newest that the filter chooses, as many as a file holds."""
    rows = chosen.choose(now)
    if chosen.text:
        edge = rows.values_list("at", "pk")[LOOKED_THROUGH : LOOKED_THROUGH + 1].first()
        rows = _holding(rows, chosen.text, edge)
    return rows[:MOST_ROWS].iterator(AT_ONCE)


def known_actions() -> list[tuple[str, str]]:
    """By name, for a choice."""
    return list(ACTIONS.items())


def _holding(
    rows: QuerySet[AuditEntry], text: str, edge: tuple[datetime, int] | None
) -> QuerySet[AuditEntry]:
    if edge is not None:
        rows = rows.filter(at__gte=edge[0])
    return rows.filter(Q(subject__icontains=text) | Q(reason__icontains=text) | Q(actor__icontains=text))


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()[:200]


def _moment(text: str, name: str, problems: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        problems.append(f"“{name}” cannot be read: write it like 2026-11-23T14:05 or 2026-11-23T14:05Z.")
        return None


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
