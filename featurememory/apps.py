"""The Django applications: the memory itself, and the admin with its own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.db.models.signals import post_migrate


class FeatureMemoryConfig(AppConfig):
    name = "featurememory"
    verbose_name = "Feature Memory"

    def ready(self) -> None:
        from featurememory.roles import ensure_roles

        post_migrate.connect(ensure_roles, sender=self)


class AdminConfig(DjangoAdminConfig):
    default_site = "featurememory.admin.site.FeatureMemoryAdminSite"
