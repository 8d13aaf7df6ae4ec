"""What validators found, to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from featurememory.admin.records import RecordAdmin
from featurememory.models import ValidationRecord
from featurememory.validation.validating import REQUEST, validators

if TYPE_CHECKING:  # generic for type checkers alone
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


class ValidatorFilter(admin.SimpleListFilter):
    """By name; those there are, without reading the table for them."""

    title = "validator"
    parameter_name = "validator"

    def lookups(self, request: HttpRequest, model_admin: _Admin) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted([*validators().types, REQUEST])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(validator=chosen) if chosen else queryset


class ValidationRecordAdmin(RecordAdmin):
    list_display = ("at", "validator", "code", "source", "operation_type", "model", "space", "is_valid")
    list_filter = ("is_valid", ValidatorFilter)
    search_fields = ("=source", "=code")
    search_help_text = "A whole source or code"
    sortable_by = ()

    def view_on_site(self, record: ValidationRecord) -> str:
        """Its page on the dashboard."""
        return reverse("validation", args=[record.pk])


class ValidationTallyAdmin(RecordAdmin):
    list_display = ("hour", "validator", "source", "code", "count")
    list_filter = (ValidatorFilter,)
    search_fields = ("=source", "=code")
    ordering = ("-hour", "source", "validator", "code")
    sortable_by = ()
