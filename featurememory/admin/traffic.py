"""Operations, and what is counted of them."""

from __future__ import annotations

from django.contrib import admin

from featurememory.admin.records import RecordAdmin
from featurememory.models import Operation, Rollup
from featurememory.observability.histogram import Histogram


class OperationAdmin(RecordAdmin):
    list_display = ("started_at", "operation_type", "model", "outcome", "duration", "error_type", "instance")
    list_display_links = ("started_at",)
    list_filter = ("outcome", "series")
    list_select_related = ("series",)
    search_fields = ("=id", "=trace_id", "=breaker")
    search_help_text = "A whole id, trace id or breaker name"
    ordering = ("-seq",)
    sortable_by = ()
    exclude = ("features",)
    readonly_fields = ("feature_count",)

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
