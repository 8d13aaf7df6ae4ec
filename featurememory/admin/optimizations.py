"""What is learned of parameters, to read; operators act on the dashboard's pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from featurememory.admin.records import RecordAdmin
from featurememory.models import Optimization, Recommendation, Study


class StudyAdmin(RecordAdmin):
    list_display = ("__str__", "operations", "revision", "learned_at", "created_at")
    search_fields = ("operation_type", "model")
    exclude = ("state", "estimate")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Study]:
        return super().get_queryset(request).defer("state", "estimate")


class OfStudyAdmin(RecordAdmin):
    """Rows that belong to a study, read without what it has learned."""

    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("study__state", "study__estimate")


class ArmAdmin(OfStudyAdmin):
    list_display = ("id", "study", "number", "parameters", "origin", "created_at", "retired_at")
    list_filter = ("origin",)
    list_select_related = ("study",)
    search_fields = ("=study__operation_type", "=study__model", "=digest")


class OptimizationAdmin(OfStudyAdmin):
    list_display = ("id", "study", "pattern", "arm", "status", "trials", "effect", "is_effective", "tried_at")
    list_filter = ("status", "is_effective")
    list_select_related = ("study", "arm")
    search_fields = ("=pattern", "=study__operation_type", "=study__model")

    def view_on_site(self, optimization: Optimization) -> str:
        """Its page on the dashboard."""
        return reverse("optimization", args=[optimization.pk])


class OptimizationEventAdmin(OfStudyAdmin):
    list_display = ("at", "study", "arm", "pattern", "before", "after", "cause", "actor", "reason")
    list_filter = ("after", "cause")
    list_select_related = ("study", "arm")
    search_fields = ("=pattern", "=actor")


class RecommendationAdmin(OfStudyAdmin):
    list_display = ("at", "study", "pattern", "arm", "source", "propensity", "outcome", "reward", "id")
    list_filter = ("source", "outcome")
    list_select_related = ("study", "arm")
    search_fields = ("=id", "=operation")
    exclude = ("belief",)

    def view_on_site(self, recommendation: Recommendation) -> str:
        """Why it was what it was."""
        return reverse("optimization-why", args=[recommendation.pk])


class FeedbackAdmin(RecordAdmin):
    list_display = ("operation", "at", "score", "outcome", "actor")
    list_filter = ("outcome",)
    search_fields = ("=operation", "=actor")
    ordering = ("-at",)
    sortable_by = ()


class LearningSettingsAdmin(RecordAdmin):
    list_display = ("__str__", "values", "changed_at")
    search_fields = ("operation_type",)
    sortable_by = ()
