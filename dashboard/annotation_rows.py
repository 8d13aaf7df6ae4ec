"""The annotations, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Q

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.mark_words import ANNOTATIONS
from dashboard.words import Look
from featurememory.models import Annotation

A_PAGE = 50
EXPORTED: Columns[Annotation] = {
    "id": lambda row: row.pk,
    "at": lambda row: row.at,
    "until": lambda row: row.until,
    "kind": lambda row: row.kind,
    "text": lambda row: row.text,
    "operation_type": lambda row: row.operation_type,
    "model": lambda row: row.model,
    "actor": lambda row: row.actor,
    "created_at": lambda row: row.created_at,
}


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    annotation: Annotation
    look: Look
    around: str
    """The query of a range around it."""


@dataclass(frozen=True, slots=True)
class Found:
    rows: list[AnnotationRow]
    older: str
    """The query of the next page; empty on the last."""
    is_first: bool


def list_annotations(query: Mapping[str, str]) -> Found:
    """`?before=2026-11-27T10:00:00+00:00~17`: those after that one, by time and id; one query."""
    rows, place = Annotation.objects.order_by("-at", "-id"), _place(query.get("before", ""))
    if place is not None:
        at, id = place
        rows = rows.filter(Q(at__lt=at) | Q(pk__lt=id), at__lte=at)
    found = list(rows[: A_PAGE + 1])
    page = found[:A_PAGE]
    older = urlencode({"before": f"{page[-1].at.isoformat()}~{page[-1].pk}"}) if len(found) > A_PAGE else ""
    return Found([_row(each) for each in page], older, place is None)


def exported() -> Iterator[Annotation]:
    """The newest; one query."""
    return Annotation.objects.order_by("-at", "-id")[:MOST_ROWS].iterator(AT_ONCE)


def _place(text: str) -> tuple[datetime, int] | None:
    """What cannot be read leads to the first page."""
    moment, _, id = text.partition("~")
    try:
        at = datetime.fromisoformat(moment)
        return (at, int(id)) if at.tzinfo and 0 <= int(id) < 2**63 else None
    except ValueError:
        return None


def _row(annotation: Annotation) -> AnnotationRow:
    at = annotation.at.timestamp()
    begin, end = (
        datetime.fromtimestamp(at + minutes * 60, annotation.at.tzinfo).strftime("%Y-%m-%dT%H:%MZ")
        for minutes in (-30, 30)
    )
    return AnnotationRow(annotation, ANNOTATIONS[annotation.kind], urlencode({"from": begin, "to": end}))
