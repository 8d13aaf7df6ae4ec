"""Alerts, what happened to them, their rules and silences: to be read; the dashboard acts on them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse

from featurememory.admin.records import RecordAdmin
from featurememory.alerts.silence_actions import in_words
from featurememory.models import Alert, AlertRule, AlertSilence


class AlertRuleAdmin(RecordAdmin):
    list_display = ("name", "kind", "signal", "severity", "is_enabled", "evaluated_at", "error")
    list_filter = ("is_enabled", "severity", "kind")
    search_fields = ("name",)

    def view_on_site(self, rule: AlertRule) -> str:
        """Its page on the dashboard."""
        return reverse("alert-rule", args=[rule.pk])


class AlertAdmin(RecordAdmin):
    list_display = ("started_at", "name", "severity", "state", "summary", "acknowledged_by", "resolved_at")
    list_filter = ("state", "severity", "is_silenced", "source")
    search_fields = ("name", "summary")
    ordering = ("-started_at", "-id")
    sortable_by = ()

    def view_on_site(self, alert: Alert) -> str:
        """Its page on the dashboard."""
        return reverse("alert", args=[alert.pk])


class AlertEventAdmin(RecordAdmin):
    list_display = ("at", "alert", "kind", "actor", "note", "value")
    list_filter = ("kind",)
    list_select_related = ("alert",)
    ordering = ("-id",)
    sortable_by = ()


class AlertSilenceAdmin(RecordAdmin):
    list_display = ("matching", "starts_at", "ends_at", "comment", "created_by", "ended_by")
    ordering = ("-ends_at", "-id")
    sortable_by = ()

    @admin.display(description="matchers")
    def matching(self, silence: AlertSilence) -> str:
        return in_words(silence)

    def view_on_site(self, silence: AlertSilence) -> str:
        """Its page on the dashboard."""
        return reverse("alert-silence", args=[silence.pk])
