"""The pages that operators keep open."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
