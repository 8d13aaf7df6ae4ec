"""The Django applications: the memory itself, and the admin with its own site."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.db.models.signals import post_migrate


class FeatureMemoryConfig(AppConfig):
    name = "featurememory"
    verbose_name = "Feature Memory"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from featurememory.accounts.sessions import note_sign_in
        from featurememory.roles import ensure_roles

        post_migrate.connect(ensure_roles, sender=self)
        post_migrate.connect(_ensure_default_rules, sender=self)
        user_logged_in.connect(note_sign_in)


def _ensure_default_rules(**of_migration: Any) -> None:
    from featurememory.alerts.default_rules import ensure_default_rules

    ensure_default_rules(**of_migration)


class AdminConfig(SimpleAdminConfig):
    """Looks for nobody else's pages: people are added and kept out under Settings, with a reason and an audit row."""

    default_site = "featurememory.admin.site.FeatureMemoryAdminSite"
