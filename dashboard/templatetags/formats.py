"""Figures, moments and icons in templates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode

import orjson
from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard import words
from dashboard.charts import Chart, Value
from dashboard.file_columns import MOST_ROWS
from dashboard.pattern_map import PatternMap
from dashboard.pattern_rows import Filter
from featurememory.models import FeatureSpace, Pattern
from featurememory.observability.figures import Figures

register = template.Library()
register.filter("duration", words.duration)
register.filter("count", words.count)
register.filter("share", words.share)
register.filter("size", words.size)
register.filter("spaced", words.spaced)

_FORMATS = {"clock": "%H:%M:%S UTC", "minute": "%m-%d %H:%M", "full": "%Y-%m-%d %H:%M:%S UTC"}


@register.simple_tag
@lru_cache(256)
def icon(name: str) -> SafeString:
    """An icon of the sprite; decoration only, the text beside it carries the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name
    )


@register.simple_tag
@lru_cache(256)
def chip(look: words.Look) -> SafeString:
    """A state: word, icon and colour."""
    return render_to_string("components/chip.html", {"look": look})


@register.inclusion_tag("components/files.html")
def files(
    name: str, query: str = "", first: str = "newest", among: str = "", of: object = None
) -> dict[str, object]:
    """The line beneath a list that leads to it as a file. `first`: which MOST_ROWS it holds, all where it is empty;
    `among`: what else bounds it; `of`: what its address names."""
    address = reverse(name) if of is None else reverse(name, args=[of])
    return {"address": address, "query": query, "first": first, "most": MOST_ROWS, "among": among}


@register.simple_tag
def moment(at: datetime | None, show: str = "full") -> SafeString | str:
    """A <time> in UTC; the browser turns it into local time, "… ago" or a countdown as `show` says."""
    if at is None:
        return words.NOTHING
    at = at.astimezone(UTC)
    text = at.strftime(_FORMATS.get(show, _FORMATS["full"]))
    return format_html(
        '<time datetime="{}" data-show="{}">{}</time>', at.isoformat(timespec="milliseconds"), show, text
    )


@register.filter
def utc_clock(at: datetime) -> str:
    """The time of day, whatever the server's time zone is."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


@register.filter
def share_tone(failed: float | None) -> str:
    """The class that colours a share of failures: few are part of life."""
    if failed is None or failed < 0.01:
        return ""
    return "tone-bad" if failed >= 0.05 else "tone-warn"


@register.filter
def plural_of(number: int, one: str) -> str:
    return words.plural(number, one)


@register.filter
def minutes_of(length: timedelta) -> str:
    """As in "15 minutes"."""
    return words.plural(round(length.total_seconds() / 60), "minute")


@register.filter
def named(pattern: Pattern) -> str:
    return words.pattern_name(pattern.number, pattern.label)


@register.simple_tag
def points(chart: Chart, step_s: int = 0) -> SafeString:
    """The rows of a chart's data table, in one go: a template would take thirty times as long for its thousands of
    cells, most of which were there at the last refresh too. Each leads to the operations of its step, of `step_s`
    seconds, where the chart has any. They hold moments and figures, nothing a caller wrote."""
    address = escape(chart.operations) if step_s else ""
    return mark_safe("".join([_row(row, address, step_s) for row in chart.rows]))  # noqa: S308


_NO_MARKUP = str.maketrans({"<": "\\u003C", ">": "\\u003E", "&": "\\u0026"})


@register.filter
def drawn(figure: dict[str, Any]) -> SafeString:
    """What a chart draws, for the script that draws it: Django's `json_script`, of a library four times as fast."""
    text = orjson.dumps(figure).decode().translate(_NO_MARKUP)
    return mark_safe(f'<script type="application/json">{text}</script>')  # noqa: S308 - holds no markup


@register.simple_tag
def steps(rows: Iterable[tuple[datetime, Figures]]) -> SafeString:
    """The rows of a small drawing's data, in one go as those of `points`."""
    return mark_safe("".join([_step(*row) for row in rows]))  # noqa: S308


@register.simple_tag
def query_of(chosen: Filter, space: FeatureSpace) -> str:
    """The address of a list of patterns, behind its "?"."""
    return chosen.query(space)


@register.simple_tag
def places(chart: PatternMap) -> SafeString:
    """The rows of a map's data table, in one go as those of `points`."""
    above = reverse("patterns")
    rows = [
        f'<tr><th scope="row"><a href="{above}{point.id}/">{escape(point.name)}</a></th><td>{point.kind}</td>'
        f'<td class="figure">{point.seen:,}</td><td class="figure">{point.x:.3f}</td>'
        f'<td class="figure">{point.y:.3f}</td></tr>'
        for point in chart.points
    ]
    return mark_safe("".join(rows))  # noqa: S308 - names are escaped, all else is ours


@lru_cache(5_000)
def _row(row: tuple[datetime | str, *tuple[Value, ...]], address: str, step_s: int) -> str:
    at, *values = row
    cells = "".join([f'<td class="figure">{_cell(value)}</td>' for value in values])
    head = _minute(at) if isinstance(at, datetime) else escape(at)
    if address and isinstance(at, datetime):
        time = urlencode({"from": _short(at), "to": _short(at + timedelta(seconds=step_s))})
        head = f'<a href="{address}{"&amp;" if "?" in address else "?"}{escape(time)}">{head}</a>'
    return f'<tr><th scope="row">{head}</th>{cells}</tr>'


@lru_cache(5_000)
def _step(at: datetime, figures: Figures) -> str:
    cells = (words.count(figures.calls), words.share(figures.failed_share), words.duration(figures.p95))
    return f'<tr><th scope="row">{_minute(at)}</th>' + "".join(
        [f'<td class="figure">{cell}</td>' for cell in cells]
    )


def _short(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%MZ")


@lru_cache(1_000)
def _minute(at: datetime) -> str:
    return str(moment(at, "minute"))


def _cell(value: Value) -> str:
    """As precise as the CSV has it."""
    return words.NOTHING if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
