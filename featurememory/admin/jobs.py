"""Jobs, and the runs that failed or were asked for."""

from __future__ import annotations

from featurememory.admin.records import RecordAdmin


class JobAdmin(RecordAdmin):
    list_display = ("name", "started_at", "ended_at", "duration_ms", "result", "failures_in_a_row", "runs")
    list_filter = ("result",)
    sortable_by = ()


class JobRunAdmin(RecordAdmin):
    list_display = ("id", "job", "status", "asked_by", "asked_at", "started_at", "duration_ms", "error")
    list_filter = ("status", "job")
    ordering = ("-id",)
    sortable_by = ()
