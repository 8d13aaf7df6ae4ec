"""What pages show, as files: CSV, or JSON with `?format=json`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from itertools import chain
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from dashboard.charts import Chart
from dashboard.file_columns import Columns, Row
from dashboard.timerange import TimeRange

_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula when a cell begins with it."""
Rows = Iterable[Sequence[Any]]


def table_file(request: HttpRequest, name: str, columns: Sequence[str], rows: Rows) -> HttpResponse:
    """A row each; moments in ISO 8601."""
    kind = _format(request)
    return HttpResponse("".join(_pieces(kind, columns, rows)), **_head(kind, name))


def streamed_file(
    request: HttpRequest, name: str, columns: Sequence[str], rows: Rows
) -> StreamingHttpResponse:
    """As `table_file`, sent while `rows` are read: for thousands of them."""
    kind = _format(request)
    return StreamingHttpResponse(_pieces(kind, columns, rows), **_head(kind, name))


def list_file(
    request: HttpRequest, name: str, columns: Columns[Row], rows: Iterable[Row]
) -> StreamingHttpResponse:
    """As `streamed_file`, named after the list and the moment."""
    cells = ([read(row) for read in columns.values()] for row in rows)
    return streamed_file(request, f"{name}-{timezone.now():%Y%m%dT%H%M}Z", tuple(columns), cells)


def chart_file(request: HttpRequest, chart: Chart, time_range: TimeRange) -> HttpResponse:
    """The chart's points, a row each."""
    span = time_range.span
    name = f"{chart.key}-{span.start:%Y%m%dT%H%M}Z-{span.end:%Y%m%dT%H%M}Z"
    return table_file(request, name, (chart.over.lower() or "from", *chart.columns), chart.rows)


def _format(request: HttpRequest) -> str:
    return "json" if request.GET.get("format") == "json" else "csv"


def _head(kind: str, name: str) -> dict[str, Any]:
    disposition = f'attachment; filename="{name}.{kind}"'
    return {"content_type": _TYPES[kind], "headers": {"Content-Disposition": disposition}}


def _pieces(kind: str, columns: Sequence[str], rows: Rows) -> Iterator[str]:
    return _json(columns, rows) if kind == "json" else _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Rows) -> Iterator[str]:
    line = StringIO()
    writer = csv.writer(line)
    for row in chain([columns], rows):
        line.seek(0)
        line.truncate()
        writer.writerow([_cell(each) for each in row])
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """Text that would be taken for a formula is marked as text; numbers stay numbers."""
    value = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json(columns: Sequence[str], rows: Rows) -> Iterator[str]:
    """A list of objects, one a line."""
    yield "["
    separator = "\n"
    for row in rows:
        named = {column: _plain(value) for column, value in zip(columns, row, strict=True)}
        yield separator + json.dumps(named, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
