"""Patterns: a space's map and list, and one of them."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import condition, require_safe

from dashboard.pattern_map import draw_map
from dashboard.pattern_page import (
    EXPORTED_NEAREST,
    read_facts,
    read_nearest,
    read_neighbourhood,
    read_pattern,
)
from dashboard.pattern_rows import EXPORTED, KINDS, ORDERS, Filter, exported, list_patterns
from dashboard.pattern_spaces import (
    choose_space,
    patterns_of,
    read_figures,
    read_spaces,
    read_tau,
    warm_up_words,
    ways_to_send,
)
from dashboard.views.downloads import list_file, table_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import FeatureSpace


@require_safe
@signed_in
def patterns(request: HttpRequest) -> HttpResponse:
    """`?space=speech-3&kind=pinned&text=drums&order=seen`; the refresh gets the rows alone, and turns the whole page
    over when what it was `waiting` for has come."""
    spaces = read_spaces()
    space = _chosen(request, spaces)
    waits = "first" if space is None else "" if space.version else "calibrating"
    if is_refresh(request) and request.GET.get("waiting", waits) != waits:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if space is None or waits:
        return _wait(request, spaces, space, waits)
    chosen = Filter.read(request.GET)
    page = list_patterns(space, chosen, read_tau(space))
    context = {"space": space, "page": page, "chosen": chosen}
    if is_refresh(request):
        return render(request, "patterns/_rows.html", context)
    context |= {"spaces": spaces, "kinds": KINDS.items(), "orders": ORDERS.items(), **_drawn(space)}
    return render(request, "patterns/patterns.html", context)


def _drawn(space: FeatureSpace) -> dict[str, Any]:
    figures = read_figures(space)
    return {"figures": figures, "chart": draw_map(space, figures.patterns)}


def _wait(
    request: HttpRequest, spaces: list[FeatureSpace], space: FeatureSpace | None, waits: str
) -> HttpResponse:
    context: dict[str, Any] = {
        "spaces": spaces,
        "space": space,
        "waits": waits,
        "so_far": warm_up_words(space) if space else "",
        "ways": ways_to_send(request.build_absolute_uri(reverse("overview")).rstrip("/")),
    }
    template = "patterns/_waiting.html" if is_refresh(request) else "patterns/waiting.html"
    return render(request, template, context)


def _chosen(request: HttpRequest, spaces: list[FeatureSpace]) -> FeatureSpace | None:
    """The space that the address names; the likeliest where it names none."""
    name = _name(request)
    space = choose_space(spaces, name)
    if space is None and name:
        raise Http404(f"There is no feature space {name!r}.")
    return space


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """`?space=` and the list's filter: all that it finds, as CSV or with `?format=json`."""
    space = _chosen(request, read_spaces())
    rows = exported(space, Filter.read(request.GET)) if space else ()
    return list_file(request, "patterns", EXPORTED, rows)


def _map_tag(request: HttpRequest) -> str | None:
    """Changes with each change of the space or its patterns; one query."""
    spaces = FeatureSpace.objects.filter(name=_name(request), version__gt=0)
    seen = spaces.values_list("pk", "version", "revision", "seen", "refused").first()
    return f'"map-{"-".join(map(str, seen))}"' if seen else None


@require_safe
@signed_in
@condition(etag_func=_map_tag)
def pattern_map(request: HttpRequest) -> HttpResponse:
    """`?space=`: figures and map, for the refresh; not even read while no pattern has changed."""
    space = _calibrated(request)
    return render(request, "patterns/_map_part.html", {"space": space, **_drawn(space)})


@require_safe
@signed_in
def pattern_map_csv(request: HttpRequest) -> HttpResponse:
    """`?space=`: all its patterns with their places on the map, a row each."""
    space = _calibrated(request)
    columns = ("id", "label", "pinned", "count", "spread", "x", "y", "first_seen", "last_seen")
    name = f"patterns-{timezone.now():%Y%m%dT%H%M}Z"
    return table_file(request, name, columns, patterns_of(space).values_list(*columns).iterator(2_000))


def _calibrated(request: HttpRequest) -> FeatureSpace:
    spaces = FeatureSpace.objects.defer("calibration")
    return get_object_or_404(spaces, name=_name(request), version__gt=0)


def _name(request: HttpRequest) -> str:
    return request.GET.get("space", "").replace("\0", "")


@require_safe
@signed_in
def export_nearest(request: HttpRequest, id: int) -> StreamingHttpResponse:
    """What is most like one pattern, as CSV or with `?format=json`."""
    found = read_pattern(id)
    rows = read_nearest(found, read_tau(found.space))
    return list_file(request, f"pattern-{id}-nearest", EXPORTED_NEAREST, rows)


@require_safe
@signed_in
def pattern(request: HttpRequest, id: int) -> HttpResponse:
    """One pattern: what it is, what came of it, what is like it; the refresh gets all but the last."""
    found = read_pattern(id)
    facts = read_facts(found)
    context = {"facts": facts, "pattern": found, "space": found.space}
    if is_refresh(request):
        return render(request, "patterns/_pattern.html", context)
    context |= {"around": read_neighbourhood(found, facts.tau)}
    return render(request, "patterns/pattern.html", context)
