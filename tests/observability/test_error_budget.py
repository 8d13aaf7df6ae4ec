"""The error budget: what is left of what may fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.budget_chart import budget_chart
from featurememory.models import AlertRule, Series
from featurememory.observability.error_budget import budget_of, read_budget
from featurememory.observability.figures import Figures
from featurememory.observability.rollups import DAY, add_to_rollups, tally
from featurememory.observability.span import Span
from tests.browser.scenarios import Call

END = datetime(2026, 11, 28, tzinfo=UTC)
counts = st.integers(0, 10_000)


def span_of(days: int) -> Span:
    return Span(END - timedelta(days=days), END, DAY)


@given(st.lists(st.tuples(counts, counts, counts), min_size=1, max_size=40), st.floats(0.5, 0.9999))
def test_it_only_falls_and_ends_where_all_failures_are_weighed(
    days: list[tuple[int, int, int]], objective: float
) -> None:
    figures = [Figures(success=good, error=bad, rejected=refused) for good, bad, refused in days]

    budget = budget_of(span_of(len(days)), figures, figures[-1:], objective)

    known = [left for left in budget.left if left is not None]
    assert known == sorted(known, reverse=True)
    if budget.judged:
        assert known[-1] == pytest.approx(1 - budget.failed / budget.allowed)
        assert known[0] <= 1
    else:
        assert not known


def test_a_budget_used_up_is_said_to_be_overdrawn() -> None:
    days = [Figures(success=96, error=4)]

    chart = budget_chart(budget_of(span_of(1), days, days, 0.99))

    assert dict(chart.summary) == {
        "left": "overdrawn by 300\xa0%",
        "failed": "4 of 1 allowed",
        "burning": "4×",
    }


def test_without_a_call_there_is_no_budget() -> None:
    chart = budget_chart(budget_of(span_of(2), [Figures(), Figures(rejected=9)], [], 0.99))

    assert chart.empty == "No call ended in the last 30 days."
    assert dict(chart.summary)["burning"] == "–"


def test_the_objective_is_the_one_that_people_are_alerted_by(
    db: Any, django_assert_max_num_queries: Any
) -> None:
    rows = [Series.objects.create(operation_type=f"budget-{name}", first_seen=END) for name in "ab"]
    at = (END - timedelta(minutes=20)).timestamp()
    calls = [(at, Call("error" if n == 0 else "success", 5.0)) for n in range(50)]
    add_to_rollups(tally({rows[0].pk: calls, rows[1].pk: [(at, Call("success", 5.0))] * 50}))
    AlertRule.objects.filter(kind="burn_rate").update(condition={"objective": 0.9, "minimum": 1})

    with django_assert_max_num_queries(5):
        whole = read_budget(END - timedelta(minutes=5))
    one = read_budget(END - timedelta(minutes=5), [rows[0].pk])

    assert (whole.objective, whole.judged, whole.failed) == (0.9, 100, 1)
    assert whole.left[-1] == pytest.approx(0.9)
    assert one.left[-1] == pytest.approx(0.8)
    assert one.burning == pytest.approx(0.2)
