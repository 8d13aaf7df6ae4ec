"""The operations that stood behind a change of a breaker: those of it that were stored up to that moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet

from dashboard.words import OUTCOMES, Look
from featurememory.circuit_breaker import default_breaker_name, kind_of
from featurememory.models import BreakerEvent, Operation, Series

MOST = 100
WITHIN = timedelta(hours=24)
"""Older ones have nothing to do with it, and a search has an end."""
_MOST_READINGS = 20


@dataclass(frozen=True, slots=True)
class Cause:
    """One operation; `failed` and `slow` are what its breaker held against it."""

    operation: Operation
    look: Look
    failed: bool
    slow: bool


def read_causes(event: BreakerEvent, slow_ms: float) -> list[Cause]:
    """Up to MOST, newest first; three queries, each along an index."""
    found = [*_newest(_chosen(event.name), event), *_newest(_of_series(event.name), event)]
    found.sort(key=lambda operation: (operation.started_at, operation.seq), reverse=True)
    return [
        Cause(
            operation=each,
            look=OUTCOMES[each.outcome],
            failed=kind_of(each.outcome) == "failure",
            slow=kind_of(each.outcome) != "ignored" and each.duration_ms >= slow_ms,
        )
        for each in found[:MOST]
    ]


def _newest(operations: QuerySet[Operation], event: BreakerEvent) -> list[Operation]:
    stored_before = operations.filter(
        started_at__lte=event.at, started_at__gt=event.at - WITHIN, received_at__lte=event.at
    )
    return list(stored_before.defer("features", "parameters", "attributes").order_by("-started_at")[:MOST])


def _chosen(name: str) -> QuerySet[Operation]:
    """Those whose caller named the breaker."""
    return Operation.objects.exclude(breaker="").filter(breaker=name)


def _of_series(name: str) -> QuerySet[Operation]:
    """Those whose breaker has the name of their operation type and model."""
    readings = _readings(name)
    series = Series.objects.filter(
        Q(*(Q(operation_type=kind, model=model) for kind, model in readings), _connector=Q.OR)
    )
    return Operation.objects.filter(series__in=list(series.values_list("pk", flat=True)), breaker="")


def _readings(name: str) -> list[tuple[str, str]]:
    """Each (operation_type, model) whose breaker is called so: a type may have a colon in it, and a model too."""
    colons = [place for place, letter in enumerate(name) if letter == ":"][:_MOST_READINGS]
    split = [(name[:place], name[place + 1 :]) for place in colons]
    return [reading for reading in [(name, ""), *split] if default_breaker_name(*reading) == name]
