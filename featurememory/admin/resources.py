"""What is used, what may be, and what made room; limits are changed, and cleanups asked for, on the dashboard."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse

from featurememory.admin.records import RecordAdmin
from featurememory.models import CleanupRun, ResourceSettings


class ResourceSettingsAdmin(RecordAdmin):
    list_display = ("__str__", "constraints", "retention", "changed_at")
    sortable_by = ()

    def view_on_site(self, row: ResourceSettings) -> str:
        return reverse("resource-limits")


class ResourceSampleAdmin(RecordAdmin):
    list_display = ("at", "resolution", "samples")
    list_filter = ("resolution",)
    sortable_by = ()


class CleanupRunAdmin(RecordAdmin):
    list_display = ("started_at", "state", "cause", "actor", "removed", "freed", "worked_s", "resumed")
    list_filter = ("state", "cause")
    sortable_by = ()

    def view_on_site(self, run: CleanupRun) -> str:
        return reverse("resource-cleanup-run", args=(run.pk,))

    @admin.display(description="freed (MB)")
    def freed(self, run: CleanupRun) -> str:
        return "–" if run.freed_bytes is None else f"{run.freed_bytes / 2**20:,.1f}"
