"""The rewards of one parameter set in one pattern over time, beside the baseline's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import exp
from typing import Any, NamedTuple

from dashboard.charts import Chart, Value
from dashboard.words import duration, plural
from featurememory.models import Recommendation

MOST = 200
"""Rewards of each of the two; the newest."""
SMOOTHED = 0.15
"""The weight of the newest reward in the running mean."""


class Reward(NamedTuple):
    at: datetime
    value: float
    on_baseline: bool


def read_rewards(arm: int, baseline: int, pattern: int) -> list[Reward]:
    """In the order of time; two queries."""
    rewards = [
        Reward(at, value, key == baseline) for key in (arm, baseline) for at, value in _newest(key, pattern)
    ]
    return sorted(rewards)


def reward_chart(rewards: Sequence[Reward], aim: str | None) -> Chart:
    """`duration` as seconds, anything else as it was learned."""
    is_time = aim == "duration"
    shown = [each._replace(value=exp(-each.value) / 1_000) for each in rewards] if is_time else list(rewards)
    values = [
        [_figure(each.value) if each.on_baseline is on_baseline else None for each in shown]
        for on_baseline in (False, True)
    ]
    means = [_running_mean(each) for each in values]
    moments = [_iso(each.at) for each in shown]
    hover = "%{y:.3~s}s" if is_time else "%{y:.3~g}"
    traces = [
        _points("these parameters", "this", moments, values[0], "circle", hover),
        _points("baseline", "baseline", moments, values[1], "diamond-open", hover),
        _line("these parameters", "this", moments, means[0], "solid", hover),
        _line("baseline", "baseline", moments, means[1], "dash", hover),
    ]
    unit = " s" if is_time else ""
    return Chart(
        key="rewards",
        title="Evidence over time",
        about=_about(aim),
        summary=(
            ("these, lately", _told(means[0], is_time=is_time)),
            ("baseline, lately", _told(means[1], is_time=is_time)),
        ),
        figure={"data": traces, "layout": _layout([each.at for each in shown], is_time=is_time)},
        columns=(f"these{unit}", f"baseline{unit}", f"mean of these{unit}", f"mean of the baseline{unit}"),
        rows=tuple(zip((each.at for each in shown), *values, *means, strict=True)),
        empty="" if any(value is not None for value in values[0]) else _nothing(rewards),
    )


def _newest(arm: int, pattern: int) -> Iterable[tuple[datetime, float]]:
    rows = Recommendation.objects.filter(arm=arm, pattern=pattern).order_by("-at").values_list("at", "reward")
    return [(at, reward) for at, reward in rows[:MOST] if reward is not None]


def _running_mean(values: Sequence[Value]) -> list[Value]:
    """Where there is a value: the exponentially weighted mean up to it."""
    means: list[Value] = []
    mean: float | None = None
    for value in values:
        if value is not None:
            mean = value if mean is None else mean + SMOOTHED * (value - mean)
        means.append(None if value is None or mean is None else _figure(mean))
    return means


def _points(
    name: str, ink: str, moments: list[str], values: list[Value], symbol: str, hover: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "meta": ink,
        "x": moments,
        "y": values,
        "marker": {"symbol": symbol, "size": 5, "opacity": 0.55},
        "legendgroup": ink,
        "showlegend": False,
        "hovertemplate": hover,
    }


def _line(
    name: str, ink: str, moments: list[str], values: list[Value], dash: str, hover: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "meta": ink,
        "x": moments,
        "y": values,
        "connectgaps": True,
        "legendgroup": ink,
        "line": {"dash": dash, "width": 2},
        "hovertemplate": hover,
    }


def _layout(moments: Sequence[datetime], *, is_time: bool) -> dict[str, Any]:
    room = max((moments[-1] - moments[0]) / 50, timedelta(seconds=5)) if moments else timedelta()
    is_long = bool(moments) and moments[0].date() != moments[-1].date()
    return {
        "xaxis": {
            "type": "date",
            "range": [_iso(moments[0] - room), _iso(moments[-1] + room)] if moments else [],
            "showgrid": False,
            "nticks": 7,
            "tickformat": "%b %e %H:%M" if is_long else "%H:%M",
        },
        "yaxis": {"nticks": 5, "rangemode": "tozero"}
        | ({"tickformat": "~s", "ticksuffix": "s"} if is_time else {"tickformat": "~g"}),
        "hovermode": "closest",
        "showlegend": True,
        "shapes": [],
    }


def _iso(at: datetime) -> str:
    """To the second; every moment is in UTC."""
    return at.isoformat(timespec="seconds")[:19]


def _about(aim: str | None) -> str:
    what = {
        "duration": "how long each operation took; a failed one counts as the longest that succeeded",
        "score": "the score of each operation; a failed one counts as the worst that succeeded",
    }.get(aim or "", "what each operation was worth; a failed one counts as the worst that succeeded")
    return f"{what}. The newest {MOST} of each in this pattern, and their running means"


def _nothing(rewards: Sequence[Reward]) -> str:
    seen = f"; the baseline has {plural(len(rewards), 'outcome')}" if rewards else ""
    return f"No operation with these parameters has shown anything in this pattern yet{seen}."


def _told(means: Sequence[Value], *, is_time: bool) -> str:
    last = next((value for value in reversed(means) if value is not None), None)
    return (
        duration(None if last is None else last * 1_000)
        if is_time
        else "–"
        if last is None
        else f"{last:.3g}"
    )


def _figure(value: float) -> float:
    return float(f"{value:.4g}")
