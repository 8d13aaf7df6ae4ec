"""Operations: all of them by anything that is known of them, one of them, and what was found as a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.operation_charts import operation_charts
from dashboard.operation_page import find_operation, read_operation_page
from dashboard.operation_rows import (
    EXPORTED,
    MOST_STRETCHES,
    ORDERS,
    OUTCOME_WORDS,
    OperationFilter,
    exported,
    list_operations,
    pattern_labels,
    read_known,
    read_span,
)
from dashboard.timerange import TimeRange
from dashboard.views.asked_range import range_of
from dashboard.views.downloads import chart_file, streamed_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import Operation
from featurememory.observability.operation_search import LOOKED_THROUGH
from featurememory.resource_management.configuration import limits


@require_safe
@signed_in
def operations(request: HttpRequest) -> HttpResponse:
    """`?operation_type=embed&outcome=failed&min_ms=500&range=6h&order=slowest&before=…`; the refresh gets the rows
    alone. `?id=` goes to that operation."""
    given_id = request.GET.get("id", "").strip()
    if (id := _uuid(given_id)) is not None:
        return redirect("operation", id)
    chosen = OperationFilter.read(request.GET)
    time_range = _time_range(chosen)
    found = list_operations(chosen, time_range)
    context: dict[str, Any] = {
        "found": found,
        "chosen": chosen,
        "time_range": time_range,
        "any_yet": bool(found.rows) or Operation.objects.exists(),
        "LOOKED_THROUGH": LOOKED_THROUGH,
    }
    if is_refresh(request):
        return render(request, "operations/_rows.html", context)
    label = "" if chosen.pattern is None else pattern_labels([chosen.pattern]).get(chosen.pattern, "")
    context |= {
        "wrong_id": given_id,
        "known": read_known(chosen),
        "outcomes": OUTCOME_WORDS.items(),
        "conditions": chosen.conditions(label),
        "charts": operation_charts(chosen, time_range, timezone.now()),
        "more": urlencode(chosen.kind),
        "orders": [(key, word, chosen.ordered(key)) for key, word in ORDERS.items()],
        "MOST_LOOKED_THROUGH": MOST_STRETCHES * LOOKED_THROUGH,
    }
    return render(request, "operations/operations.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list's filter finds, the newest first, as CSV or with `?format=json`."""
    chosen = OperationFilter.read(request.GET)
    name = f"operations-{timezone.now():%Y%m%dT%H%M}Z"
    return streamed_file(request, name, EXPORTED, exported(chosen, _time_range(chosen)))


@require_safe
@signed_in
def chart_csv(request: HttpRequest) -> HttpResponse:
    """`?signal=latency` and the list's address: the chart's points, a row each."""
    chosen = OperationFilter.read(request.GET)
    time_range = _time_range(chosen)
    for chart in operation_charts(chosen, time_range, timezone.now()):
        if chart.key == request.GET.get("signal"):
            return chart_file(request, chart, time_range)
    raise Http404("There is no such signal of operations.")


@require_safe
@signed_in
def operation(request: HttpRequest, id: UUID) -> HttpResponse:
    """One operation, and what stood around it."""
    found = find_operation(id)
    if found is None:
        days = limits().retention["operations"].days
        return render(request, "operations/gone.html", {"id": id, "days": days}, status=404)
    return render(
        request, "operations/operation.html", {"page": read_operation_page(found), "operation": found}
    )


def _time_range(chosen: OperationFilter) -> TimeRange:
    return range_of(read_span(chosen), timezone.now())


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
