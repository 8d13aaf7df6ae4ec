"""Feature spaces and the patterns found in them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from featurememory.admin.records import RecordAdmin
from featurememory.models import FeatureSpace, Pattern


class FeatureSpaceAdmin(RecordAdmin):
    list_display = ("name", "dimension", "is_calibrated", "seen", "refused", "created_at")
    exclude = ("calibration",)
    search_fields = ("name",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeatureSpace]:
        return super().get_queryset(request).defer("calibration")

    @admin.display(boolean=True, description="calibrated")
    def is_calibrated(self, space: FeatureSpace) -> bool:
        return space.version > 0


class PatternAdmin(RecordAdmin):
    list_display = ("id", "space", "label", "count", "spread", "pinned", "first_seen", "last_seen")
    list_filter = ("pinned", "space")
    list_select_related = ("space",)
    search_fields = ("label",)
    exclude = ("centroid",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pattern]:
        return super().get_queryset(request).defer("centroid", "space__calibration")
