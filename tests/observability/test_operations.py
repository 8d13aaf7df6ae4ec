"""Searches go through an index, on both databases and whatever is searched for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin import site
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from featurememory.admin.traffic import OperationAdmin
from featurememory.models import Operation, Series
from featurememory.observability import operation_search
from featurememory.observability.operation_search import Search, search_operations
from featurememory.observability.operations import MOST_BRANCHES

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TRACE = f"{7:032x}"
PLACE = (START + timedelta(hours=1), 5)


@pytest.fixture
def many_operations(db: None) -> None:
    """Two thousand. Few are of type-1, few failed, few have a trace or a breaker that their caller chose."""
    series = [
        Series.objects.create(operation_type=f"type-{n // 2}", model=f"model-{n}", first_seen=START)
        for n in range(4)
    ]
    Operation.objects.bulk_create(
        _operation(n, series[n % 2 if n % 50 else 2 + n // 50 % 2]) for n in range(2_000)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE featurememory_operation")
            cursor.execute(
                "SET LOCAL enable_seqscan = off"
            )  # two thousand rows are read faster without an index


def _operation(number: int, series: Series) -> Operation:
    return Operation(
        id=UUID(int=number + 1),
        series=series,
        operation_type=series.operation_type,
        model=series.model,
        started_at=START + timedelta(seconds=number),
        received_at=START,
        duration_ms=1.0,
        outcome="success" if number % 47 else "error",
        trace_id="" if number % 43 else f"{number:032x}",
        breaker="" if number % 31 else f"breaker-{number % 7}",
    )


def plan(operations: QuerySet[Operation]) -> str:
    """What the database would do, as far as operations are concerned."""
    return "\n".join(line for line in operations.explain().splitlines() if "operation" in line)


def plan_of(order: operation_search.Order = "newest", **wanted: Any) -> str:
    """What the database did for a search, statement by statement."""
    with CaptureQueriesContext(connection) as captured:
        search_operations(Search(**wanted), 10, order)
    said = []
    for each in captured.captured_queries:
        if 'FROM "featurememory_operation"' in each["sql"]:
            with connection.cursor() as cursor:
                explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
                cursor.execute(f"{explain} {each['sql']}")
                said += [" ".join(map(str, row)) for row in cursor.fetchall()]
    return "\n".join(line for line in said if "operation" in line)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"trace_id": TRACE}, "operation_trace"),
        ({"trace_id": TRACE, "operation_type": "type-1", "breaker": "type-1:model-3"}, "operation_trace"),
        ({"outcome": "error"}, "operation_failed"),
        ({"outcome": "timeout", "operation_type": "type-1"}, "operation_failed"),
        ({"outcome": "error", "breaker": "type-1:model-3"}, "operation_failed"),
        ({"breaker": "breaker-3"}, "operation_breaker"),
        ({"breaker": "breaker-3", "since": START, "before": PLACE}, "operation_breaker"),
        ({"operation_type": "type-1"}, "operation_series_started"),
        ({"model": "model-3"}, "operation_series_started"),
        ({"model": "model-3", "outcome": "success"}, "operation_series_started"),
        ({"operation_type": "type-1", "model": "model-3", "before": PLACE}, "operation_series_started"),
        ({"instance": "gpu-1"}, "operation_started"),
        ({"min_ms": 5.0, "operation_type": "type-1"}, "operation_series_started"),
        ({"error_type": "ValueError", "outcome": "failed"}, "operation_failed"),
        ({}, "operation_started"),
        ({"before": PLACE}, "operation_started"),
    ],
    ids=str,
)
def test_a_search_uses_the_index_that_is_made_for_it(
    many_operations: None, wanted: dict[str, Any], index: str
) -> None:
    said = plan_of(**wanted)

    used = set(re.findall(r"operation_[a-z_]+", said)) & {each.name for each in Operation._meta.indexes}
    assert used == {index}, said
    assert "Seq Scan" not in said


def test_a_breaker_of_the_series_own_is_searched_in_the_series_too(many_operations: None) -> None:
    said = plan_of(breaker="type-1:model-3")

    assert "operation_breaker" in said
    assert "operation_series_started" in said
    assert "operation_started" not in said.replace("operation_series_started", "")


@pytest.mark.parametrize("page", [None, PLACE])
def test_the_next_page_begins_where_the_last_one_ended_instead_of_walking_there(
    many_operations: None, page: tuple[datetime, int] | None
) -> None:
    said = plan_of(before=page)

    walks = "started_at<" in said if connection.vendor == "sqlite" else "Index Cond" in said
    assert walks == bool(page) or connection.vendor == "postgresql"


def test_the_admin_s_search_uses_indexes(many_operations: None) -> None:
    admin = OperationAdmin(Operation, site)
    everything = Operation.objects.order_by("-seq")
    request = RequestFactory().get("/")
    for term in (TRACE, str(UUID(int=12)), "breaker-3", "type-1:model-3"):
        found, _ = admin.get_search_results(request, everything, term)
        said = plan(found)
        assert "operation_trace" in said
        assert "operation_breaker" in said
        assert "operation_started" not in said.replace("operation_series_started", "")
        assert "Seq Scan" not in said
        assert "SCAN featurememory_operation" not in said


def test_of_more_series_than_are_asked_one_by_one_the_newest_are_found_too(db: None) -> None:
    for number in range(MOST_BRANCHES + 2):
        series = Series.objects.create(operation_type="wide", model=f"m{number}", first_seen=START)
        _operation(number, series).save()

    found = search_operations(Search(operation_type="wide"), 3).rows

    assert [each.model for each in found] == [f"m{MOST_BRANCHES + 1 - n}" for n in range(3)]
