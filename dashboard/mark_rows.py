"""What changed, as lists show it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from dashboard.mark_words import ANNOTATIONS, address_of, look_of, why_of
from dashboard.words import Look
from featurememory.observability.marks import Mark


class MarkRow(NamedTuple):
    at: datetime
    look: Look
    name: str
    address: str
    why: str


def rows_of(marks: Iterable[Mark]) -> tuple[MarkRow, ...]:
    return tuple(
        MarkRow(mark.at, look_of(mark), mark.subject or _named(mark), address_of(mark), why_of(mark))
        for mark in marks
    )


def _named(mark: Mark) -> str:
    """An annotation of everything goes by what it is."""
    return ANNOTATIONS[mark.kind].word
