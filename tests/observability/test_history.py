"""Pages show what the operations say, however much of the past a process remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.models import Rollup, RollupMark, Series
from featurememory.observability.figures import Figures
from featurememory.observability.histogram import Histogram
from featurememory.observability.history import Piece, Place, Remembered, weight_of
from featurememory.observability.rollups import DAY, HOUR, add_to_rollups, tally
from featurememory.observability.span import Span
from featurememory.observability.traffic import Traffic, read_traffic, read_traffic_of_each

BEGIN = datetime(2026, 5, 3, 22, 40, tzinfo=UTC)
END = BEGIN + timedelta(hours=30)
SPANS = [
    Span.covering(END - timedelta(hours=hours), END, step) for hours, step in ((2, 60), (6, 120), (30, 600))
]
SPANS += [
    Span.covering(BEGIN, END, HOUR),
    Span.covering(BEGIN, END, 4 * HOUR),
    Span.covering(BEGIN, END, 900),
    Span.covering(BEGIN, END, DAY),
    Span.covering(BEGIN, END, 5 * DAY),
]
SPANS += [Span.covering(BEGIN + timedelta(minutes=7), END - timedelta(minutes=93), 60)]
SPANS += [
    replace(whole, start=whole.start - timedelta(days=days), end=whole.end - timedelta(days=days) + 2 * step)
    for days in (1, 7)
    for step in (timedelta(days=3), timedelta(days=5))
    for whole in (Span.covering(BEGIN, END, int(step.total_seconds())),)
]
_names = count()


class Call:
    def __init__(self, outcome: str, duration_ms: float) -> None:
        self.outcome = outcome
        self.duration_ms = duration_ms


Happened = tuple[int, float, str, float]
"""(series' number, seconds after BEGIN, outcome, duration in milliseconds)"""
calls = st.tuples(
    st.integers(0, 1),
    st.floats(0, (END - BEGIN).total_seconds() - 1),
    st.sampled_from(["success", "error", "rejected"]),
    st.floats(0.1, 10_000),
)


@pytest.fixture
def new_series(db: Any) -> Callable[[], Series]:
    return lambda: Series.objects.create(operation_type=f"history-{next(_names)}", model="", first_seen=BEGIN)


def _add(series: list[Series], happened: list[Happened]) -> None:
    timed: dict[int, list[tuple[float, Call]]] = {}
    for number, after, outcome, duration in happened:
        place = timed.setdefault(series[number].pk, [])
        place.append((BEGIN.timestamp() + after, Call(outcome, duration)))
    add_to_rollups(tally(timed))


def _figures(happened: list[Happened]) -> Figures:
    outcomes = [outcome for _, _, outcome, _ in happened]
    ran = Histogram(duration for _, _, outcome, duration in happened if outcome != "rejected")
    counts = {name: outcomes.count(name) for name in ("success", "error", "rejected")}
    if not ran.count:
        return Figures(**counts)
    longest = max(duration for _, _, outcome, duration in happened if outcome != "rejected")
    shares = (10, 25, 50, 75, 90, 95, 99)
    quantiles = ran.quantiles(*(share / 100 for share in shares))
    return Figures(
        **counts,
        longest=longest,
        **{f"p{share}": each for share, each in zip(shares, quantiles, strict=True)},
    )


def _expected(span: Span, series: list[Series], happened: list[Happened]) -> Traffic:
    """What a recount says."""
    within = [each for each in happened if span.start <= BEGIN + timedelta(seconds=each[1]) < span.end]
    steps: list[list[Happened]] = [[] for _ in span]
    for each in within:
        steps[span.index_of(BEGIN + timedelta(seconds=each[1]))].append(each)
    by_series = {row.pk: [each for each in within if series[each[0]] is row] for row in series}
    return Traffic(
        span,
        tuple(map(_figures, steps)),
        tuple(_figures(by_series[row.pk]) for row in series if by_series[row.pk]),  # type: ignore[arg-type]
        _figures(within),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(calls, min_size=1, max_size=8), min_size=1, max_size=5))
def test_what_is_shown_equals_a_recount_while_late_operations_come_in(
    new_series: Callable[[], Series], groups: list[list[Happened]]
) -> None:
    Series.objects.all().delete()
    RollupMark.objects.all().delete()
    series, so_far = [new_series(), new_series()], list[Happened]()
    for group in groups:
        _add(series, group)
        so_far += group
        for span in SPANS:
            shown, expected = read_traffic(span), _expected(span, series, so_far)
            assert shown.steps == expected.steps
            assert shown.total == expected.total
            by_id = sorted(shown.series, key=lambda each: each.id)
            assert tuple(each.figures for each in by_id) == expected.series
            first = series[0].pk
            only = _expected(span, series, [each for each in so_far if each[0] == 0])
            alone = read_traffic_of_each(span, [first])[first]
            assert alone == read_traffic(span, [first])
            assert (alone.steps, alone.total) == (only.steps, only.total)


def test_what_did_not_change_is_not_read_again(
    new_series: Callable[[], Series], django_assert_num_queries: Any
) -> None:
    series = [new_series()]
    _add(series, [(0, hour * 3_600.0, "success", 1.0) for hour in range(30)])
    for span in SPANS:
        read_traffic(span)
        with django_assert_num_queries(1):
            again = read_traffic(span)
        assert again.total.success > 0
        _add(series, [(0, (END - BEGIN).total_seconds() - 6_000, "success", 1.0)])
        assert read_traffic(span).total.success == again.total.success + 1


def test_where_nothing_was_ever_counted_nothing_is_read(
    new_series: Callable[[], Series], django_assert_num_queries: Any
) -> None:
    _add([new_series()], [(0, 0.0, "success", 1.0)])
    with django_assert_num_queries(1):
        assert read_traffic(Span.covering(BEGIN + timedelta(hours=1), END, 60)).total == Figures()


@pytest.mark.parametrize("minutes", [0, 20], ids=["within the hour", "in its last step"])
def test_of_an_hour_that_goes_on_only_the_last_ten_minutes_are_read(
    new_series: Callable[[], Series], minutes: int
) -> None:
    series, end = [new_series()], END + timedelta(minutes=minutes)
    span = Span.covering(end - timedelta(hours=24), end, 600)
    latest = (end - BEGIN).total_seconds() - 1
    _add(series, [(0, latest - 60 * minute, "success", 1.0) for minute in range(60)])
    for _ in range(2):
        read_traffic(span)
        _add(series, [(0, latest, "error", 2.0)])

    with CaptureQueriesContext(connection) as asked:
        traffic = read_traffic(span)

    (read,) = [query["sql"] for query in asked.captured_queries if "histogram" in query["sql"]]
    assert f"{end - timedelta(minutes=10):%Y-%m-%d %H:%M}" in read
    assert read.count("start >=") == 1
    assert (traffic.steps[-1].error, traffic.total.calls) == (2, 62)


@pytest.mark.parametrize(("step_s", "resolution"), [(60, 60), (1_800, 60), (HOUR, HOUR), (DAY, DAY)])
def test_steps_of_whole_hours_or_days_read_hours_or_days(
    new_series: Callable[[], Series], step_s: int, resolution: int
) -> None:
    _add([new_series()], [(0, 0.0, "success", 1.0)])

    with CaptureQueriesContext(connection) as asked:
        read_traffic(Span.covering(BEGIN, END, step_s))

    (read,) = [query["sql"] for query in asked.captured_queries if "histogram" in query["sql"]]
    assert f"resolution = {resolution} " in read


def _piece(parts: int) -> Piece:
    return Piece((Figures(),) * parts, ())


def test_a_piece_is_remembered_under_its_mark_alone() -> None:
    past, place, piece = Remembered(1_000, weight_of), Place(0, 600, 60), _piece(10)
    past.put(place, 7, piece)

    assert past.get(place, 7) is piece
    assert past.get(place, 8) is None
    assert past.get(Place(0, 600, 120), 7) is None


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    past = Remembered(25, weight_of)
    places = [Place(start, start + 600, 60) for start in (0, 600, 1_200)]
    for place in places[:2]:
        past.put(place, 1, _piece(10))
    past.get(places[0], 1)
    past.put(places[2], 1, _piece(10))
    past.put(places[2], 2, _piece(10))

    assert [past.get(place, 1) is not None for place in places] == [True, False, False]
    assert past.get(places[2], 2) is not None


def test_an_upgrade_gives_hours_and_marks_to_the_minutes_that_are_there(
    new_series: Callable[[], Series],
) -> None:
    series = [new_series(), new_series()]
    chosen = [("success", 3.5), ("error", 900.0), ("rejected", 1.0), ("timeout", 40.0), ("cancelled", 7.0)]
    _add(series, [(n % 2, n * 613.0, *chosen[n % 5]) for n in range(160)])
    columns = ("series_id", "start", "success", "error", "timeout", "cancelled", "rejected")
    columns += ("duration_sum_ms", "duration_max_ms", "histogram")
    hours = Rollup.objects.filter(resolution=HOUR).order_by("series_id", "start")
    written = [(*row, bytes(data)) for *row, data in hours.values_list(*columns)]
    blocks = set(RollupMark.objects.filter(block__gte=0).values_list("block", flat=True))
    days_marked = set(RollupMark.objects.filter(block__lt=0).values_list("block", flat=True))
    migration = import_module("featurememory.migrations.0003_hour_rollups")

    migration.remove_hours(apps, None)
    RollupMark.objects.all().delete()
    migration.add_hours(apps, None)

    assert [(*row, bytes(data)) for *row, data in hours.values_list(*columns)] == written
    assert len(written) > 50
    assert set(RollupMark.objects.values_list("block", flat=True)) == blocks

    import_module("featurememory.migrations.0015_day_rollups").mark_days(apps, None)

    assert set(RollupMark.objects.values_list("block", flat=True)) == blocks | days_marked


def test_an_upgrade_gives_days_to_the_hours_that_are_there(new_series: Callable[[], Series]) -> None:
    series = [new_series(), new_series()]
    _add(series, [(n % 2, n * 613.0, ("success", "error")[n % 2], 1.0 + n) for n in range(160)])
    columns = ("series_id", "start", "success", "error", "duration_sum_ms", "duration_max_ms", "histogram")
    days = Rollup.objects.filter(resolution=DAY).order_by("series_id", "start")
    written = [(*row, bytes(data)) for *row, data in days.values_list(*columns)]
    migration = import_module("featurememory.migrations.0015_day_rollups")

    migration.only_days_without_hours(apps, None)
    assert not days.exists()
    migration.add_days(apps, None)

    assert [(*row, bytes(data)) for *row, data in days.values_list(*columns)] == written
    assert len(written) == 6


def test_an_upgrade_adds_hours_to_the_day_that_took_others_in(new_series: Callable[[], Series]) -> None:
    """A day that was summed up of its early hours before days were kept from the start."""
    series = [new_series()]
    _add(series, [(0, 0.0, "success", 5.0), (0, 7_200.0, "error", 7.0), (0, 8_000.0, "success", 1.0)])
    whole = Rollup.objects.filter(resolution=DAY).order_by("start")
    expected = [(row.success, row.error, row.duration_max_ms, bytes(row.histogram)) for row in whole]
    second = Rollup.objects.filter(resolution=HOUR).order_by("start")[1]
    Rollup.objects.filter(resolution=DAY, start=second.start.replace(hour=0)).update(
        success=0, error=0, duration_sum_ms=0, histogram=b""
    )
    Rollup.objects.filter(resolution=DAY, start__lt=second.start.replace(hour=0)).delete()

    import_module("featurememory.migrations.0015_day_rollups").add_days(apps, None)

    assert [(r.success, r.error, r.duration_max_ms, bytes(r.histogram)) for r in whole.all()] == expected
