"""Validation: pass rate, failures by code and source, the newest ones, and one of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.timerange import TimeRange, read_time_range
from dashboard.validation_chart import by_whole_hours, validation_chart
from dashboard.validation_page import read_validation
from dashboard.validation_rows import (
    EXPORTED,
    EXPORTED_CODES,
    EXPORTED_SOURCES,
    SHOWN,
    Filter,
    exported,
    list_records,
)
from dashboard.views.downloads import chart_file, list_file
from dashboard.views.signed_in import is_refresh, signed_in
from featurememory.models import ValidationRecord, ValidationTally
from featurememory.models.rollup import OTHER
from featurememory.validation.summary import Summary, read_summary

PRESETS = ("6h", "24h", "7d", "30d", "1y")
DEFAULT = "24h"


@require_safe
@signed_in
def validations(request: HttpRequest) -> HttpResponse:
    """`?range=7d&code=zero&source=gpu-7:1&before=90`; the refresh gets the rows alone."""
    chosen = Filter.read(request.GET)
    context: dict[str, Any] = {
        "found": list_records(chosen),
        "chosen": chosen,
        "any_yet": ValidationTally.objects.exists(),
    }
    if is_refresh(request):
        return render(request, "validation/_rows.html", context)
    context |= _read_signals(request, chosen) | {
        "presets": PRESETS,
        "kinds": [(key, word, chosen.showing(key)) for key, word in SHOWN.items()],
    }
    return render(request, "validation/validations.html", context)


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list's filter finds of what is kept, as CSV or with `?format=json`."""
    return list_file(request, "validations", EXPORTED, exported(Filter.read(request.GET)))


@require_safe
@signed_in
def signals(request: HttpRequest) -> HttpResponse:
    """Chart and tables, for the refresh."""
    return render(request, "validation/_signals.html", _read_signals(request, Filter.read(request.GET)))


@require_safe
@signed_in
def chart_csv(request: HttpRequest) -> HttpResponse:
    """The chart's points, a row each."""
    time_range = _time_range(request)
    return chart_file(request, validation_chart(_summary(time_range), time_range), time_range)


@require_safe
@signed_in
def export_codes(request: HttpRequest) -> StreamingHttpResponse:
    """Failures by code over the page's range, as CSV or with `?format=json`."""
    return list_file(request, "validation-codes", EXPORTED_CODES, _summary(_time_range(request)).by_code)


@require_safe
@signed_in
def export_sources(request: HttpRequest) -> StreamingHttpResponse:
    """Failures by source over the page's range, as CSV or with `?format=json`."""
    return list_file(
        request, "validation-sources", EXPORTED_SOURCES, _summary(_time_range(request)).by_source
    )


@require_safe
@signed_in
def validation(request: HttpRequest, pk: int) -> HttpResponse:
    """What was wrong with what, and what else came of the kind."""
    record = get_object_or_404(ValidationRecord, pk=pk)
    page = read_validation(record)
    return render(request, "validation/validation.html", {"page": page, "record": record, "chosen": Filter()})


def _read_signals(request: HttpRequest, chosen: Filter) -> dict[str, Any]:
    time_range = _time_range(request)
    summary = _summary(time_range)
    return {
        "time_range": time_range,
        "summary": summary,
        "chart": validation_chart(summary, time_range),
        "codes": [(each, chosen.of(validator=each.validator, code=each.code)) for each in summary.by_code],
        "sources": [
            (each, "" if each.source == OTHER else chosen.of(source=each.source))
            for each in summary.by_source
        ],
    }


def _time_range(request: HttpRequest) -> TimeRange:
    return by_whole_hours(read_time_range({"range": DEFAULT} | request.GET.dict(), timezone.now()))


def _summary(time_range: TimeRange) -> Summary:
    return read_summary(time_range.span.start, time_range.span.end)
