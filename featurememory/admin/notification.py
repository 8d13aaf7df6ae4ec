"""Who is told of alerts, and what was told. Channels are set up on the dashboard; their settings hold secrets and
are not shown here."""

from __future__ import annotations

from django.urls import reverse

from featurememory.admin.records import RecordAdmin
from featurememory.models import AlertChannel


class AlertChannelAdmin(RecordAdmin):
    list_display = ("name", "kind", "is_enabled", "changed_at", "changed_by")
    list_filter = ("kind", "is_enabled")
    exclude = ("settings",)

    def view_on_site(self, row: AlertChannel) -> str:
        return reverse("alert-channels")


class AlertRouteAdmin(RecordAdmin):
    list_display = ("position", "channel", "matchers", "severities", "escalate_to", "continues")
    list_select_related = ("channel", "escalate_to")


class AlertGroupAdmin(RecordAdmin):
    list_display = ("__str__", "route", "told_at")
    list_select_related = ("route__channel",)
    sortable_by = ()


class AlertDeliveryAdmin(RecordAdmin):
    list_display = ("created_at", "channel_name", "kind", "state", "attempts", "answer_status", "error")
    list_filter = ("state", "kind", "channel_name")
    sortable_by = ()


class AlertHeartbeatAdmin(RecordAdmin):
    list_display = ("__str__", "called_at")
