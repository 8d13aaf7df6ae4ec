"""The error budget as a chart: what is left of it, day by day."""

from __future__ import annotations

from typing import Any

from dashboard import words
from dashboard.charts import Chart, figure_of, rounded, steps_of
from featurememory.observability.error_budget import DAYS, Budget


def budget_chart(budget: Budget) -> Chart:
    left = [rounded(value) for value in budget.left]
    bars: dict[str, Any] = {
        "type": "bar",
        "name": "left",
        "meta": "budget",
        **steps_of(budget.span),
        "y": left,
        "marker": {"pattern": {"shape": "", "size": 5, "solidity": 0.35, "fillmode": "overlay"}},
        "hovertemplate": "%{y:.3~p}",
    }
    lowest = min((value for value in left if value is not None), default=0.0)
    axis = {"tickformat": "~p", "range": [min(0.0, lowest * 1.1), 1.05], "zeroline": True}
    last = next((value for value in reversed(budget.left) if value is not None), None)
    return Chart(
        key="budget",
        title="Error budget",
        about=f"of the failures that an objective of {budget.objective * 100:g} % allows the calls of the last "
        f"{DAYS} days, what is left at the end of each day",
        summary=(
            ("left", words.NOTHING if last is None else _share(last)),
            ("failed", f"{words.count(budget.failed)} of {words.count(budget.allowed)} allowed"),
            ("burning", words.NOTHING if budget.burning is None else f"{budget.burning:.2g}×"),
        ),
        figure=figure_of(budget.span, [bars], (), axis),
        columns=("left",),
        rows=tuple(zip(budget.span, left, strict=True)),
        empty="" if budget.judged else f"No call ended in the last {DAYS} days.",
    )


def _share(left: float) -> str:
    return words.share(left) if left >= 0 else f"overdrawn by {words.share(-left)}"
