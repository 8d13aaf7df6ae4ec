"""Operations, and what is counted of them."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from featurememory.admin.records import RecordAdmin
from featurememory.models import Operation, Rollup
from featurememory.observability.histogram import Histogram
from featurememory.observability.operations import guarded_by, newest_numbers, traced

SEARCHED = 1_000


class OperationAdmin(RecordAdmin):
    list_display = ("started_at", "operation_type", "model", "outcome", "duration", "error_type", "instance")
    list_display_links = ("started_at",)
    list_filter = ("outcome", "series")
    list_select_related = ("series",)
    search_fields = ("id", "trace_id", "breaker")
    search_help_text = f"A whole id, trace id or breaker name; of a breaker the newest {SEARCHED:,} are shown"
    ordering = ("-seq",)
    sortable_by = ()
    exclude = ("features",)
    readonly_fields = ("feature_count",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Operation], search_term: str
    ) -> tuple[QuerySet[Operation], bool]:
        """What has exactly this id, trace or breaker, each through its index."""
        term, operations = search_term.strip(), Operation.objects.all()
        if not term:
            return queryset, False
        branches = [traced(operations, term), *guarded_by(operations, term)]
        with suppress(ValueError):
            branches.append(operations.filter(id=UUID(term)))
        return queryset.filter(seq__in=newest_numbers(branches, SEARCHED)), False

    @admin.display(description="duration")
    def duration(self, operation: Operation) -> str:
        return f"{operation.duration_ms:,.1f} ms"

    @admin.display(description="features")
    def feature_count(self, operation: Operation) -> str:
        return f"{len(operation.features) // 4} numbers" if operation.features else "none"


class RollupAdmin(RecordAdmin):
    list_display = (
        "start",
        "series",
        "resolution",
        "success",
        "error",
        "timeout",
        "cancelled",
        "rejected",
        "p95",
    )
    list_filter = ("resolution", "series")
    list_select_related = ("series",)
    ordering = ("-resolution", "-start", "series")
    sortable_by = ()
    exclude = ("histogram",)
    readonly_fields = ("p50", "p95", "p99")

    @admin.display(description="p50")
    def p50(self, rollup: Rollup) -> str:
        return _quantile(rollup, 0.5)

    @admin.display(description="p95")
    def p95(self, rollup: Rollup) -> str:
        return _quantile(rollup, 0.95)

    @admin.display(description="p99")
    def p99(self, rollup: Rollup) -> str:
        return _quantile(rollup, 0.99)


def _quantile(rollup: Rollup, share: float) -> str:
    value = Histogram.from_bytes(rollup.histogram).quantile(share)
    return "–" if value is None else f"{value:,.1f} ms"


class SeriesAdmin(RecordAdmin):
    list_display = ("operation_type", "model", "first_seen")
    search_fields = ("operation_type", "model")
    ordering = ("operation_type", "model")


class SourceAdmin(RecordAdmin):
    list_display = ("instance", "sdk", "first_seen", "last_seen", "dropped")
    search_fields = ("instance", "sdk")
    ordering = ("-last_seen",)
