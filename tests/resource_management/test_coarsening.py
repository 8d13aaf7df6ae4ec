"""Rollups that grow old lose their fineness, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from featurememory.models import Rollup, RollupMark, Series
from featurememory.observability.coarsening import forget_days, forget_hours, forget_minutes
from featurememory.observability.figures import Figures
from featurememory.observability.rollups import DAY, HOUR, MINUTE, add_to_rollups, tally
from featurememory.observability.span import Span
from featurememory.observability.traffic import Traffic, read_traffic
from featurememory.resource_management import tables
from featurememory.resource_management.tables import sizes_of, table_of

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 4


class Call:
    def __init__(self, duration_ms: float, outcome: str = "success") -> None:
        self.outcome = outcome
        self.duration_ms = duration_ms


@pytest.fixture
def series() -> list[Series]:
    """Two that called every 47 minutes for four days, one of them from noon on only."""
    made = [Series.objects.create(operation_type=f"coarse-{name}", first_seen=BEGIN) for name in "ab"]
    for number, each in enumerate(made):
        times = range(number * 12 * HOUR, DAYS * DAY, 47 * 60)
        add(
            each,
            [(second, Call(1 + second % 977, "error" if second % 5 == 0 else "success")) for second in times],
        )
    return made


def add(series: Series, calls: list[tuple[int, Call]]) -> None:
    add_to_rollups(tally({series.pk: [(BEGIN.timestamp() + second, call) for second, call in calls]}))


def in_days() -> Traffic:
    return read_traffic(Span.covering(BEGIN, BEGIN + timedelta(days=DAYS), DAY))


def all_of(step: object, before: datetime, limit: int = 7) -> int:
    gone = 0
    while removed := step(before, limit):  # type: ignore[operator]
        gone += removed
    return gone


def left(resolution: int) -> int:
    return Rollup.objects.filter(resolution=resolution).count()


def test_minutes_go_and_hours_still_tell_their_sums(series: list[Series]) -> None:
    hours = read_traffic(Span.covering(BEGIN, BEGIN + timedelta(days=DAYS), HOUR))
    assert all_of(forget_minutes, BEGIN + timedelta(days=2))
    assert not Rollup.objects.filter(resolution=MINUTE, start__lt=BEGIN + timedelta(days=2)).exists()
    assert left(MINUTE)
    assert read_traffic(Span.covering(BEGIN, BEGIN + timedelta(days=DAYS), HOUR)) == hours


def test_a_page_that_remembers_minutes_hears_that_they_have_gone(series: list[Series]) -> None:
    first_hours = Span.covering(BEGIN, BEGIN + timedelta(hours=2), MINUTE)
    assert read_traffic(first_hours).total.calls
    all_of(forget_minutes, BEGIN + timedelta(days=1))
    assert read_traffic(first_hours).total == Figures()


def test_hours_go_and_days_still_tell_their_sums(series: list[Series]) -> None:
    before = in_days()
    assert all_of(forget_hours, BEGIN + timedelta(days=3)) > 60
    assert left(DAY) == 2 * DAYS
    assert not Rollup.objects.filter(resolution=HOUR, start__lt=BEGIN + timedelta(days=3)).exists()
    assert in_days() == before


def test_operations_that_come_after_their_hours_are_gone_are_added_to_their_day(series: list[Series]) -> None:
    all_of(forget_hours, BEGIN + timedelta(days=3))
    calls = in_days().steps[0].calls
    add(series[0], [(3_700, Call(5.0)), (7_300, Call(9_999_999.0))])
    assert in_days().steps[0].calls == calls + 2
    assert all_of(forget_hours, BEGIN + timedelta(days=3)) == 2
    assert (in_days().steps[0].calls, in_days().steps[0].longest) == (calls + 2, 9_999_999.0)


def test_days_and_hours_say_the_same(series: list[Series]) -> None:
    hours = read_traffic(Span.covering(BEGIN, BEGIN + timedelta(days=DAYS), HOUR))
    assert hours.total == in_days().total
    assert [each.figures for each in hours.series] == [each.figures for each in in_days().series]


def test_days_go_with_the_marks_of_their_time_and_no_others(series: list[Series]) -> None:
    all_of(forget_minutes, BEGIN + timedelta(days=3))
    all_of(forget_hours, BEGIN + timedelta(days=3))
    kept = in_days().steps[2:]
    assert all_of(forget_days, BEGIN + timedelta(days=2), 1) == 4
    assert [step.calls for step in in_days().steps[:2]] == [0, 0]
    assert in_days().steps[2:] == kept
    first = int((BEGIN + timedelta(days=2)).timestamp()) // 600
    assert not RollupMark.objects.filter(block__gte=0, block__lt=first).exists()
    assert RollupMark.objects.filter(block__lt=0).count() == DAYS - 2


@pytest.mark.parametrize("count", [20, 60, 700, 4_321])
def test_many_rollups_are_estimated_and_few_are_counted(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Series.objects.create(operation_type=f"size-{name}", first_seen=BEGIN) for name in "abc"]
    moments = [BEGIN + timedelta(minutes=number) for number in range(count)]
    Rollup.objects.bulk_create(
        Rollup(series=row, resolution=MINUTE, start=at) for at in moments for row in rows
    )
    minutes = table_of("minutes")
    known = sizes_of(minutes)
    assert minutes.size(known).rows == 3 * count

    monkeypatch.setattr(tables, "_COUNTED", 50)

    assert minutes.size(known).rows == pytest.approx(3 * count, rel=0.05)
