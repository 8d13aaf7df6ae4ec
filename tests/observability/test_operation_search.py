"""A search finds all that fits, once each, however it is paged; and says where it stopped looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from featurememory.models import Operation, Series
from featurememory.models.rollup import OTHER
from featurememory.observability import operation_search
from featurememory.observability.operation_search import Found, Search, search_operations

pytestmark = pytest.mark.django_db
START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OUTCOMES = ("success", "success", "success", "error", "timeout", "rejected", "cancelled")


@pytest.fixture(autouse=True)
def _stored() -> None:
    """300, ten of each moment; two of five models are counted as `other`."""
    series = [
        Series.objects.create(operation_type=kind, model=model, first_seen=START)
        for kind, model in (("a", "x"), ("a", "y"), ("b", "x"), (OTHER, OTHER))
    ]
    Operation.objects.bulk_create(_one(number, series[number % 4]) for number in range(300))


def _one(number: int, series: Series) -> Operation:
    is_other = series.model == OTHER
    return Operation(
        id=UUID(int=number + 1),
        series=series,
        operation_type="c" if is_other else series.operation_type,
        model=f"z{number % 3}" if is_other else series.model,
        started_at=START + timedelta(seconds=number // 10),
        received_at=START,
        duration_ms=float(number * 37 % 1_000),
        outcome=OUTCOMES[number % 7],
        error_type="" if number % 7 < 3 else ("ValueError", "OSError")[number % 2],
        instance=f"gpu-{number % 5}",
        breaker="chosen" if number % 11 == 0 else "",
        pattern=number % 6 or None,
        trace_id=f"{number % 9:032x}" if number % 3 == 0 else "",
    )


def pages(search: Search, count: int) -> Iterator[Found]:
    while True:
        found = search_operations(search, count)
        yield found
        if found.next is None:
            return
        search = replace(search, before=found.next)


SEARCHES: tuple[tuple[dict[str, Any], Callable[[Operation], bool]], ...] = (
    ({}, lambda _: True),
    ({"operation_type": "a"}, lambda each: each.operation_type == "a"),
    ({"model": "x"}, lambda each: each.model == "x"),
    ({"operation_type": "c", "model": "z1"}, lambda each: each.model == "z1"),
    ({"outcome": "failed"}, lambda each: each.outcome != "success"),
    ({"outcome": "timeout"}, lambda each: each.outcome == "timeout"),
    ({"outcome": "success"}, lambda each: each.outcome == "success"),
    (
        {"outcome": "failed", "operation_type": "b"},
        lambda each: each.operation_type == "b" and each.outcome != "success",
    ),
    ({"breaker": "chosen"}, lambda each: each.breaker == "chosen"),
    ({"breaker": "a:x"}, lambda each: not each.breaker and (each.operation_type, each.model) == ("a", "x")),
    (
        {"breaker": "chosen", "min_ms": 500.0},
        lambda each: each.breaker == "chosen" and each.duration_ms >= 500,
    ),
    (
        {"breaker": "a:x", "outcome": "failed"},
        lambda each: (
            not each.breaker and (each.operation_type, each.model) == ("a", "x") and each.outcome != "success"
        ),
    ),
    ({"pattern": 3}, lambda each: each.pattern == 3),
    ({"pattern": 3, "outcome": "failed"}, lambda each: each.pattern == 3 and each.outcome != "success"),
    ({"trace_id": f"{6:032x}"}, lambda each: each.trace_id == f"{6:032x}"),
    (
        {"trace_id": f"{6:032x}", "pattern": 3},
        lambda each: each.trace_id == f"{6:032x}" and each.pattern == 3,
    ),
    ({"instance": "gpu-2"}, lambda each: each.instance == "gpu-2"),
    ({"error_type": "OSError"}, lambda each: each.error_type == "OSError"),
    ({"min_ms": 900.0}, lambda each: each.duration_ms >= 900),
    (
        {"operation_type": "a", "min_ms": 900.0},
        lambda each: each.operation_type == "a" and each.duration_ms >= 900,
    ),
    (
        {"since": START + timedelta(seconds=5), "until": START + timedelta(seconds=9), "instance": "gpu-2"},
        lambda each: 5 <= (each.started_at - START).total_seconds() < 9 and each.instance == "gpu-2",
    ),
)


@pytest.mark.parametrize("looked_through", [20_000, 23])
@pytest.mark.parametrize(
    ("wanted", "fits"), SEARCHES, ids=lambda each: str(each) if isinstance(each, dict) else ""
)
def test_pages_hold_all_that_fits_once_in_the_order_of_time(
    wanted: dict[str, Any],
    fits: Callable[[Operation], bool],
    looked_through: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", looked_through)
    everything = Operation.objects.order_by("-started_at", "-seq")

    found = [each.pk for page in pages(Search(**wanted), 7) for each in page.rows]

    assert found == [each.pk for each in everything if fits(each)]
    assert found


def test_what_an_index_serves_is_never_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", 5)
    for wanted in ({}, {"outcome": "failed"}, {"pattern": 3}, {"breaker": "chosen"}):
        found = search_operations(Search(**wanted), 10)  # type: ignore[arg-type]
        assert len(found.rows) == 10
        assert found.looked_back_to is None


def test_a_search_without_an_index_says_how_far_back_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", 40)

    found = search_operations(Search(instance="gpu-2"), 50)

    assert [each.instance for each in found.rows] == ["gpu-2"] * 8
    oldest = Operation.objects.order_by("-started_at", "-seq")[39]
    assert found.next == found.looked_back_to == (oldest.started_at, oldest.pk)


def test_a_search_that_came_to_the_end_has_nothing_further(monkeypatch: pytest.MonkeyPatch) -> None:
    found = search_operations(Search(error_type="NoSuchError"), 50)

    assert found == Found([], None, None)


def test_the_slowest_are_those_of_what_was_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", 100)
    newest = Operation.objects.order_by("-started_at", "-seq")[:100]

    found = search_operations(Search(), 5, "slowest")

    durations = sorted((each.duration_ms for each in newest), reverse=True)
    assert [each.duration_ms for each in found.rows] == durations[:5]
    assert found.looked_back_to is not None
    assert search_operations(Search(pattern=3), 500, "slowest").looked_back_to is None


def test_a_type_that_nobody_reported_has_none() -> None:
    assert search_operations(Search(operation_type="nobody's", min_ms=1.0), 5).rows == []
