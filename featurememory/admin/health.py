"""What jobs and processes say about themselves."""

from __future__ import annotations

from django.contrib import admin

from featurememory.admin.records import RecordAdmin
from featurememory.models import HealthSnapshot


class HealthSnapshotAdmin(RecordAdmin):
    list_display = ("at", "status", "not_well")
    list_filter = ("status",)
    ordering = ("-at",)
    sortable_by = ()

    @admin.display(description="not well")
    def not_well(self, snapshot: HealthSnapshot) -> str:
        troubled = [
            f"{name}: {each['reason']}"
            for name, each in snapshot.components.items()
            if each["status"] != HealthSnapshot.Status.HEALTHY
        ]
        return "; ".join(troubled) or "–"


class ProcessRecordAdmin(RecordAdmin):
    list_display = ("role", "host", "pid", "started_at", "seen_at", "restarts", "last_exit")
    list_filter = ("role",)
    ordering = ("-seen_at",)


class ComponentStateAdmin(RecordAdmin):
    list_display = ("name", "status", "since", "checked_at", "reason")
    list_filter = ("status",)
    sortable_by = ()


class HealthTransitionAdmin(RecordAdmin):
    list_display = ("at", "component", "before", "after", "reason")
    list_filter = ("component", "after")
    ordering = ("-id",)
    sortable_by = ()
