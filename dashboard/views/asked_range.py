"""The time range that a page is asked for, by what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.http import HttpRequest

from dashboard.comparing import asked_comparison
from dashboard.timerange import DAY_S, Kept, TimeRange, read_time_range
from featurememory.resource_management.configuration import limits


def asked_range(request: HttpRequest, now: datetime) -> TimeRange:
    """What is compared with another day has steps that a day is made of."""
    found = range_of(request.GET, now)
    if asked_comparison(request.GET).by and found.span.step_s > DAY_S:
        return replace(found, span=replace(found.span, step_s=DAY_S))
    return found


def range_of(query: Mapping[str, str], now: datetime) -> TimeRange:
    """One query, where it is not relative to now: the steps of those rest on what is kept for that long."""
    if "from" not in query:
        return read_time_range(query, now)
    retention = limits().retention
    return read_time_range(query, now, Kept(retention.age("minutes"), retention.age("hours")))
