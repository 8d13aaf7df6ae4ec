"""The figures that the server builds for Plotly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go
import pytest

from dashboard.charts import Chart, iso
from dashboard.traffic_charts import Shown, golden_signals
from featurememory.observability.figures import Figures
from featurememory.observability.marks import Mark
from featurememory.observability.signals import Saturation
from featurememory.observability.span import Span
from featurememory.observability.traffic import Traffic

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SPAN = Span(START, START + timedelta(minutes=4), 60)
BUSY = Figures(
    success=50, error=2, timeout=1, cancelled=1, rejected=3, p50=80.0, p95=900.0, p99=4_000.0, longest=9e3
)
TOTAL = Figures(
    success=150, error=6, timeout=3, cancelled=3, rejected=9, p50=80.0, p95=900.0, p99=4_000.0, longest=9e3
)
MARKS = tuple(
    Mark(START + timedelta(seconds=30 * turn), state, "t:w", "5 failures")
    for turn, state in enumerate(("open", "half_open", "closed", "forced_open", "disabled"))
)


def _charts(traffic: Traffic, marks: tuple[Mark, ...] = ()) -> dict[str, Chart]:
    saturation = Saturation(SPAN, (0.1, None, 0.9, None), (4.0, None, 8.0, None), (), 2, 0)
    now = START + timedelta(minutes=3, seconds=20)
    return {chart.key: chart for chart in golden_signals(Shown(traffic, now, marks), saturation)}


def _busy(marks: tuple[Mark, ...] = ()) -> dict[str, Chart]:
    return _charts(Traffic(SPAN, (BUSY, Figures(), BUSY, BUSY), (), TOTAL), marks)


def _quiet() -> dict[str, Chart]:
    return _charts(Traffic(SPAN, (Figures(),) * 4, (), Figures()))


@pytest.mark.parametrize("charts", [_busy(), _busy(MARKS), _quiet()], ids=["busy", "marked", "quiet"])
def test_plotly_accepts_every_figure(charts: dict[str, Chart]) -> None:
    for chart in charts.values():
        go.Figure(chart.figure)


def test_there_is_a_row_for_every_point() -> None:
    for chart in _busy().values():
        assert len(chart.rows) == len(SPAN)
        assert all(len(row) == 1 + len(chart.columns) for row in chart.rows)
        for trace in chart.figure["data"]:
            assert len(trace["y"]) == len(SPAN)
            assert (trace["x0"], trace["dx"]) == (iso(SPAN.start), SPAN.step_s * 1_000)


def test_series_differ_without_colour() -> None:
    for chart in _busy().values():
        lines = [(t["line"]["dash"], t["marker"]["symbol"]) for t in chart.figure["data"] if "line" in t]
        bars = [t["marker"]["pattern"]["shape"] for t in chart.figure["data"] if t["type"] == "bar"]
        assert len(set(lines)) == len(lines)
        assert len(set(bars)) == len(bars)


def test_figures_carry_no_colour_of_their_own() -> None:
    assert "color" not in str([chart.figure for chart in _busy(MARKS).values()])


def test_breakers_that_opened_and_closed_stand_as_lines() -> None:
    for chart in _busy(MARKS).values():
        assert [shape["name"] for shape in chart.figure["layout"]["shapes"]] == [
            "bad",
            "ok",
            "bad",
        ]


def test_a_minute_that_has_just_begun_gives_no_rate() -> None:
    rates = [row[2] for row in _busy()["rate"].rows]

    assert rates[0] == pytest.approx(57 / 60)
    assert rates[1] == 0
    assert rates[3] is None


def test_a_minute_half_over_is_measured_by_the_time_that_passed() -> None:
    traffic = Traffic(SPAN, (BUSY, BUSY, BUSY, BUSY), (), TOTAL)
    now = START + timedelta(minutes=3, seconds=30)
    charts = golden_signals(Shown(traffic, now), Saturation(SPAN, (None,) * 4, (None,) * 4))

    assert charts[1].rows[3][2] == pytest.approx(57 / 30)


def test_nothing_to_draw_is_said_in_words() -> None:
    charts = _quiet()

    assert charts["latency"].empty == "No operation ended in this range."
    assert charts["saturation"].empty == ""
    rejected = Traffic(SPAN, (Figures(rejected=4),) * 4, (), Figures(rejected=16))
    silent = golden_signals(Shown(rejected, SPAN.end), Saturation(SPAN, (None,) * 4, (None,) * 4))
    assert silent[0].empty == "Every call was rejected; none ran."
    assert silent[3].empty == "No process reported its queue in this range."


def test_no_failure_is_another_sentence_than_no_call() -> None:
    fine = Figures(success=30, p50=1.0, p95=2.0, p99=3.0, longest=3.0)

    assert (
        _charts(Traffic(SPAN, (fine,) * 4, (), fine))["errors"].empty
        == "Nothing failed: 30 calls, all succeeded."
    )
