"""The Django applications: the memory itself, and the admin with its own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class FeatureMemoryConfig(AppConfig):
    name = "featurememory"
    verbose_name = "Feature Memory"


class AdminConfig(DjangoAdminConfig):
    default_site = "featurememory.admin.site.FeatureMemoryAdminSite"
