"""The admin, in the dashboard's clothes."""

from django.contrib.admin import AdminSite


class FeatureMemoryAdminSite(AdminSite):
    site_header = "Feature Memory"
    site_title = "Feature Memory"
    index_title = "Records"
