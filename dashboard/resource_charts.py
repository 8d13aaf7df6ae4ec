"""What was used, as charts; a limit is a line of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dashboard import words
from dashboard.charts import Chart, Value, figure_of, line_of
from featurememory.resource_management.constraints import ResourceConstraints
from featurememory.resource_management.history import Usage

_STYLES = (("first", "solid", "circle"), ("second", "dash", "square"), ("third", "dot", "diamond"))


class _Line(NamedTuple):
    name: str
    figure: str
    unit: str


class _Kind(NamedTuple):
    key: str
    title: str
    about: str
    lines: tuple[_Line, ...]
    limit: str = ""
    """The constraint that the first line is held against."""


_KINDS = (
    _Kind(
        "memory",
        "Memory",
        "what all processes of this installation use on their machine, shared pages counted once",
        (_Line("used", "memory_mb", "MB"),),
        "max_memory_mb",
    ),
    _Kind(
        "host",
        "Host",
        "memory of the host, or of the container where its limit is nearer; processors of the host, and what this "
        "installation takes of one of them",
        (
            _Line("memory", "host_memory_percent", "%"),
            _Line("processors", "host_cpu_percent", "%"),
            _Line("own", "cpu_percent", "%"),
        ),
        "max_host_memory_percent",
    ),
    _Kind(
        "database",
        "Database",
        "what rows and indexes take, and what the files take on the disk",
        (_Line("in use", "database_mb", "MB"), _Line("on disk", "on_disk_mb", "MB")),
        "max_database_mb",
    ),
    _Kind(
        "queues",
        "Queues",
        "operations that wait for the database, and messages that wait for a worker",
        (_Line("operations", "ingestion_queue", ""), _Line("messages", "waiting_tasks", "")),
    ),
)
KEYS = tuple(kind.key for kind in _KINDS)


def resource_charts(usage: Usage, constraints: ResourceConstraints) -> tuple[Chart, ...]:
    return tuple(_chart(kind, usage, constraints) for kind in _KINDS)


def _chart(kind: _Kind, usage: Usage, constraints: ResourceConstraints) -> Chart:
    values = [usage.of(line.figure) for line in kind.lines]
    traces = [
        line_of(usage.span, line.name, series, dash, symbol, f"%{{y:,.4~g}} {line.unit}".rstrip())
        | {"meta": place}
        for line, series, (place, dash, symbol) in zip(kind.lines, values, _STYLES, strict=False)
    ]
    limit = getattr(constraints, kind.limit) if kind.limit else None
    highest = max((value for series in values for value in series if value is not None), default=0.0)
    if limit is not None and highest >= limit / 3:  # further away it would flatten what there is to see
        traces.append(_limit_line(usage, limit, kind.lines[0].unit))
    unit = kind.lines[0].unit
    axis: dict[str, Any] = {
        "tickformat": "~g" if unit else ",d",
        "ticksuffix": f" {unit}".rstrip(),
        "rangemode": "tozero",
    }
    if not unit and highest < 5:
        axis["dtick"] = 1
    return Chart(
        key=kind.key,
        title=kind.title,
        about=kind.about,
        summary=(
            *(
                (line.name, _said(_last(series), line.unit))
                for line, series in zip(kind.lines, values, strict=True)
            ),
            *((("limit", _said(limit, unit)),) if limit is not None else ()),
        ),
        figure=figure_of(usage.span, traces, (), axis),
        columns=tuple(f"{line.name} {line.unit}".rstrip() for line in kind.lines),
        rows=_rows(usage, values),
        empty="" if any(value is not None for series in values for value in series) else _NOBODY,
    )


_NOBODY = "Nobody has looked in this range: the job that samples resources did not run."


def _limit_line(usage: Usage, limit: float, unit: str) -> dict[str, Any]:
    trace = line_of(
        usage.span, "limit", [limit] * len(usage.span), "longdash", "line-ew", f"%{{y:,.4~g}} {unit}"
    )
    return trace | {"mode": "lines"}


def _rows(usage: Usage, values: Sequence[Sequence[Value]]) -> tuple[Any, ...]:
    return tuple(zip(usage.span, *values, strict=True))


def _last(values: Sequence[Value]) -> Value:
    return next((value for value in reversed(values) if value is not None), None)


def _said(value: float | None, unit: str) -> str:
    return words.NOTHING if value is None else f"{value:,.4g}{words.NBSP}{unit}".rstrip()
