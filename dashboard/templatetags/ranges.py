"""Choosing what time a page shows: presets, moments, what it is compared with, saved views, a link that stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest

from dashboard.comparing import COMPARISONS
from dashboard.saved_views import views_of
from dashboard.timerange import NAMES, PRESET_WORDS, TimeRange

register = template.Library()
_PLACES = ("before", "cursor", "page")
"""Of a list within the range: another range begins at its top."""
ANY_TIME = "any"
_SOON = timedelta(minutes=1)


class Choice(NamedTuple):
    word: str
    address: str
    is_current: bool = False


@register.inclusion_tag("components/range.html", takes_context=True)
def range_picker(
    context: dict[str, Any],
    time_range: TimeRange,
    presets: Iterable[str] = PRESET_WORDS,
    compare: bool = False,
    any_time: bool | None = None,
) -> dict[str, Any]:
    """What the address says beside the range stays as it is. `any_time`: whether no range is chosen, on a page that
    can do without."""
    request: HttpRequest = context["request"]
    said = {name: each for name, each in request.GET.items() if name not in (*NAMES, *_PLACES)}

    def address(query: str, **other: str) -> str:
        kept = {name: each for name, each in (said | other).items() if each}
        return "?" + "&".join(part for part in (query, urlencode(kept)) if part)

    choices = {key: PRESET_WORDS[key] for key in presets} | (
        {} if any_time is None else {ANY_TIME: "Any time"}
    )
    chosen = ANY_TIME if any_time else time_range.preset
    frozen = time_range.frozen_query
    is_over = time_range.span.end + _SOON < context["now"]
    compared = request.GET.get("compare", "")
    return {
        "time_range": time_range,
        "presets": [
            Choice(word, address(urlencode({"range": key})), key == chosen) for key, word in choices.items()
        ],
        "any_time": any_time,
        "comparisons": [
            Choice(each.title, address(time_range.query, compare=key), key == compared)
            for key, each in COMPARISONS.items()
        ]
        if compare
        else [],
        "compared": COMPARISONS.get(compared),
        "earlier": address(time_range.moved(-1)),
        "later": address(time_range.moved(1)) if is_over else "",
        "wider": address(time_range.wider),
        "frozen": address(f"range={ANY_TIME}" if any_time else frozen),
        "said": said.items(),
        "saved": views_of(request.user, request.path),
        "here": request.path,
        "query": request.GET.urlencode(),
        "perms": context["perms"],
        "csrf_token": context["csrf_token"],
    }
