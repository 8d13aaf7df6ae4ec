"""Figures, moments and icons in templates."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from html import escape

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard import words
from dashboard.charts import Chart, Value
from dashboard.pattern_map import PatternMap
from dashboard.pattern_rows import Filter
from featurememory.models import FeatureSpace, Pattern

register = template.Library()
register.filter("duration", words.duration)
register.filter("count", words.count)
register.filter("share", words.share)

_FORMATS = {"clock": "%H:%M:%S UTC", "minute": "%m-%d %H:%M", "full": "%Y-%m-%d %H:%M:%S UTC"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite; decoration only, the text beside it carries the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name
    )


@register.inclusion_tag("components/chip.html")
def chip(look: words.Look) -> dict[str, object]:
    """A state: word, icon and colour."""
    return {"look": look}


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
def share_tone(failed: float | None) -> str:
    """The class that colours a share of failures: few are part of life."""
    if failed is None or failed < 0.01:
        return ""
    return "tone-bad" if failed >= 0.05 else "tone-warn"


@register.filter
def plural_of(number: int, one: str) -> str:
    return words.plural(number, one)


@register.filter
def named(pattern: Pattern) -> str:
    return words.pattern_name(pattern.number, pattern.label)


@register.simple_tag
def points(chart: Chart) -> SafeString:
    """The rows of a chart's data table, in one go: a template would take thirty times as long for its thousands of
    cells, most of which were there at the last refresh too. They hold moments and figures, nothing a caller wrote."""
    return mark_safe("".join(map(_row, chart.rows)))  # noqa: S308


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
def _row(row: tuple[datetime, *tuple[Value, ...]]) -> str:
    at, *values = row
    cells = "".join([f'<td class="figure">{_cell(value)}</td>' for value in values])
    return f'<tr><th scope="row">{_minute(at)}</th>{cells}</tr>'


@lru_cache(1_000)
def _minute(at: datetime) -> str:
    return str(moment(at, "minute"))


def _cell(value: Value) -> str:
    """As precise as the CSV has it."""
    return words.NOTHING if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
