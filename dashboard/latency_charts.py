"""How durations are spread: over time as bands, and over the whole range as bars."""

from __future__ import annotations

from typing import Any

from dashboard import words
from dashboard.charts import Chart, figure_of
from dashboard.traffic_charts import Shown, durations, nothing_ran, seconds_axis, seconds_line
from featurememory.observability.histogram import Histogram, upper_bound

MOST_CLASSES = 48
_BANDS = (
    ("p10", "dot", "circle", 1.0, ""),
    ("p90", "dot", "square", 1.0, "tonexty"),
    ("p25", "dash", "circle", 1.0, ""),
    ("p75", "dash", "square", 1.0, "tonexty"),
    ("p50", "solid", "circle", 2.0, ""),
)


def bands(shown: Shown) -> Chart:
    """Half of the calls lie within the dark band, eight in ten within the light one."""
    traffic = shown.traffic
    values = {name: durations(traffic, name) for name in ("p10", "p25", "p50", "p75", "p90")}
    traces = [
        seconds_line(traffic.span, name, values[name], dash, symbol)
        | {"meta": "p50", "line": {"dash": dash, "width": width}}
        | ({"fill": fill} if fill else {})
        for name, dash, symbol, width, fill in _BANDS
    ]
    return Chart(
        key="bands",
        title="Spread of latency",
        about="half of the calls took between p25 and p75, eight in ten between p10 and p90",
        summary=tuple((name, words.duration(getattr(traffic.total, name))) for name in ("p10", "p50", "p90")),
        figure=figure_of(traffic.span, traces, shown.marks, seconds_axis(traffic)),
        columns=tuple(f"{name} ms" for name in values),
        rows=tuple(zip(traffic.span, *values.values(), strict=True)),
        empty=nothing_ran(traffic),
        operations=shown.behind("order=slowest"),
    )


def distribution(shown: Shown) -> Chart:
    """How many calls took how long, in classes that grow by a constant factor."""
    traffic = shown.traffic
    classes = _classes(traffic.distribution)
    labels = [f"{words.duration(low)} – {words.duration(high)}" for low, high, _ in classes]
    counts = [count for _, _, count in classes]
    bars: dict[str, Any] = {
        "type": "bar",
        "name": "calls",
        "meta": "calls",
        "x": labels,
        "y": counts,
        "marker": {"pattern": {"shape": "", "size": 5, "solidity": 0.35, "fillmode": "overlay"}},
        "hovertemplate": "%{x}: %{y:,}<extra></extra>",
    }
    ticks = range(0, len(labels), max(1, -(-len(labels) // 8)))
    layout: dict[str, Any] = {
        "xaxis": {
            "type": "category",
            "range": [-0.5, len(labels) - 0.5],
            "showgrid": False,
            "tickvals": list(ticks),
            "ticktext": [words.duration(classes[tick][0]) for tick in ticks],
        },
        "yaxis": {"nticks": 5, "tickformat": "~s", "rangemode": "tozero"},
        "bargap": 0.08,
        "hovermode": "closest",
        "showlegend": False,
        "shapes": [],
    }
    total = traffic.total
    return Chart(
        key="distribution",
        title="Distribution of durations",
        about="how many calls took how long, over the whole range",
        summary=(("p50", words.duration(total.p50)), ("p99", words.duration(total.p99)),
                 ("longest", words.duration(total.longest))),
        figure={"data": [bars], "layout": layout},
        columns=("calls",),
        rows=tuple(zip(labels, counts, strict=True)),
        empty=nothing_ran(traffic),
        over="Took",
    )  # fmt: skip


def _classes(histogram: Histogram) -> list[tuple[float, float, int]]:
    """(longer than, at most, calls), in milliseconds; as fine as MOST_CLASSES allows, without a gap."""
    if not histogram.counts:
        return []
    first, last = min(histogram.counts), max(histogram.counts)
    widths = (2**power for power in range(1, 31))
    width = next(each for each in widths if last // each - first // each < MOST_CLASSES)
    counts = dict.fromkeys(range(first // width, last // width + 1), 0)
    for bucket, count in histogram.counts.items():
        counts[bucket // width] += count
    return [
        (upper_bound(place * width - 1), upper_bound((place + 1) * width - 1), count)
        for place, count in counts.items()
    ]
