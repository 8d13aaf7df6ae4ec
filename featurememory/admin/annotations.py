"""Annotations and saved views: to be read; the dashboard changes them."""

from __future__ import annotations

from featurememory.admin.records import RecordAdmin


class AnnotationAdmin(RecordAdmin):
    list_display = ("at", "kind", "text", "operation_type", "model", "actor")
    list_filter = ("kind",)
    search_fields = ("text",)
    ordering = ("-at", "-id")
    sortable_by = ()


class SavedViewAdmin(RecordAdmin):
    list_display = ("name", "page", "owner", "is_shared", "created_at")
    list_filter = ("is_shared",)
    list_select_related = ("owner",)
