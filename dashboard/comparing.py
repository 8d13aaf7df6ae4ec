"""What a page's time is compared with: the same time before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple


class Comparison(NamedTuple):
    key: str
    title: str
    ago: str
    """As a part of a column's or a line's name."""
    by: timedelta | None

    @property
    def query(self) -> str:
        return f"compare={self.key}" if self.key else ""


COMPARISONS = {
    each.key: each
    for each in (
        Comparison("", "Nothing", "", None),
        Comparison("day", "A day before", "a day before", timedelta(days=1)),
        Comparison("week", "A week before", "a week before", timedelta(days=7)),
    )
}


def asked_comparison(query: Mapping[str, str]) -> Comparison:
    """What `?compare=day` names; nothing where it is not known."""
    return COMPARISONS.get(query.get("compare", ""), COMPARISONS[""])
