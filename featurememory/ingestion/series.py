"""Which (operation_type, model) is counted by itself: a bounded number, the rest is `other`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Series
from featurememory.models.rollup import OTHER

SeriesKey = tuple[str, str]
"""(operation_type, model)"""

_REMEMBERED = 50_000


class ResolvedSeries(NamedTuple):
    id: int
    folded: bool
    """True when the key's type or model is beyond the limits and is counted as `other`."""


class SeriesRegistry:
    """Gives each (operation_type, model) its series, and remembers it.

    `max_types` and `max_models` bound the distinct operation types and the distinct models; what comes beyond
    is counted under the name `other` in their place.
    """

    def __init__(self, max_types: int, max_models: int) -> None:
        self._max_types = max_types
        self._max_models = max_models
        self._known: dict[SeriesKey, ResolvedSeries] = {}

    def resolve(self, keys: Iterable[SeriesKey], now: datetime) -> dict[SeriesKey, ResolvedSeries]:
        """Each key's series, made where it is new; inside the caller's transaction.

        What is found is kept only by `remember`, after the commit: a transaction rolled back leaves no trace.
        """
        found: dict[SeriesKey, ResolvedSeries] = {}
        strangers: list[SeriesKey] = []
        for key in set(keys):
            known = self._known.get(key)
            if known is None:
                strangers.append(key)
            else:
                found[key] = known
        if strangers:
            found.update(self._admit(sorted(strangers), now))
        return found

    def remember(self, found: Mapping[SeriesKey, ResolvedSeries]) -> None:
        if len(self._known) < _REMEMBERED:
            self._known.update(found)

    def _admit(self, strangers: list[SeriesKey], now: datetime) -> dict[SeriesKey, ResolvedSeries]:
        be_alone_with(Lock.SERIES)
        ids = {(row.operation_type, row.model): row.pk for row in Series.objects.all()}
        types = {operation_type for operation_type, _ in ids} - {OTHER}
        models = {model for _, model in ids} - {OTHER, ""}
        admitted: dict[SeriesKey, ResolvedSeries] = {}
        for key in strangers:
            operation_type = _admit_name(key[0], types, self._max_types)
            model = _admit_name(key[1], models, self._max_models) if key[1] else ""
            place = (operation_type, model)
            if place not in ids:
                ids[place] = Series.objects.create(
                    operation_type=operation_type, model=model, first_seen=now
                ).pk
            admitted[key] = ResolvedSeries(ids[place], folded=place != key)
        return admitted


def _admit_name(name: str, known: set[str], limit: int) -> str:
    if name in known or name == OTHER:
        return name
    if len(known) >= limit:
        return OTHER
    known.add(name)
    return name
