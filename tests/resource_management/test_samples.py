"""Samples that are remembered say what the rows say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from featurememory.models import ResourceSample
from featurememory.observability.rollups import HOUR, MINUTE
from featurememory.observability.span import Span
from featurememory.resource_management.history import read_usage
from featurememory.resource_management.monitor import take_sample
from featurememory.resource_management.samples import FIGURES, SAMPLES

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


def keep(at: datetime, moments: int = 4, resolution: int = MINUTE, **means: float) -> None:
    figures = {name: [mean, mean - 1, mean + 1] for name, mean in means.items()}
    ResourceSample.objects.create(resolution=resolution, at=at, samples=moments, figures=figures)


def asked(span: Span) -> tuple[Any, int]:
    with CaptureQueriesContext(connection) as queries:
        usage = read_usage(span)
    return usage, len(queries)


def test_each_step_is_the_mean_of_its_moments() -> None:
    span = Span(LONG_AGO, LONG_AGO + timedelta(minutes=6), 2 * MINUTE)
    keep(LONG_AGO - timedelta(minutes=1), memory_mb=9_000)
    keep(LONG_AGO, moments=1, memory_mb=100, load=0.5)
    keep(LONG_AGO + timedelta(minutes=1), moments=3, memory_mb=200)
    keep(LONG_AGO + timedelta(minutes=5), memory_mb=50)
    keep(LONG_AGO + timedelta(minutes=6), memory_mb=9_000)
    usage = read_usage(span)
    assert usage.of("memory_mb") == (175.0, None, 50.0)
    assert usage.of("load") == (0.5, None, None)
    assert usage.of("database_mb") == (None, None, None)


@pytest.mark.parametrize("resolution", [MINUTE, HOUR])
def test_what_is_over_is_read_once(resolution: int) -> None:
    step = timedelta(seconds=resolution)
    for place in range(150):
        keep(LONG_AGO + place * step, resolution=resolution, memory_mb=place)
    whole = Span(LONG_AGO, LONG_AGO + 150 * step, resolution)
    part = Span(LONG_AGO + 70 * step, LONG_AGO + 90 * step, resolution)
    first, queries = asked(whole)
    assert (first.of("memory_mb"), queries) == (tuple(map(float, range(150))), 1)
    again, queries = asked(whole)
    assert (again.of("memory_mb"), queries) == (first.of("memory_mb"), 0)
    shorter, queries = asked(part)
    assert (shorter.of("memory_mb"), queries) == (tuple(map(float, range(70, 90))), 0)


def test_what_is_under_way_is_read_anew() -> None:
    minute = timezone.now().replace(second=0, microsecond=0)
    span = Span(minute - timedelta(minutes=1), minute + timedelta(minutes=1), MINUTE)
    keep(minute, moments=1, memory_mb=100)
    assert read_usage(span).of("memory_mb") == (None, 100.0)
    ResourceSample.objects.update(samples=2, figures={"memory_mb": [150, 100, 200]})
    keep(minute - timedelta(minutes=1), memory_mb=70)
    assert read_usage(span).of("memory_mb") == (70.0, 150.0)


def test_no_more_is_remembered_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SAMPLES, "_most", 3)
    for hours in range(10):
        keep(LONG_AGO + timedelta(hours=hours), memory_mb=hours)
    span = Span(LONG_AGO, LONG_AGO + timedelta(hours=10), MINUTE)
    told = read_usage(span).of("memory_mb")
    assert asked(span)[1] == 1
    assert read_usage(span).of("memory_mb") == told
    newest = Span(LONG_AGO + timedelta(hours=7), LONG_AGO + timedelta(hours=10), MINUTE)
    assert asked(newest)[1] == 0


def test_every_figure_that_is_sampled_can_be_drawn() -> None:
    assert take_sample(timezone.now()).keys() <= set(FIGURES)
