"""The admin, in the dashboard's clothes: what it shows is registered here and nowhere else."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from featurememory import models
from featurememory.admin.access import ApiKeyAdmin, AuditEntryAdmin
from featurememory.admin.breakers import BreakerAdmin, BreakerEventAdmin
from featurememory.admin.health import HealthSnapshotAdmin, ProcessRecordAdmin
from featurememory.admin.traffic import OperationAdmin, RollupAdmin, SeriesAdmin, SourceAdmin


class FeatureMemoryAdminSite(AdminSite):
    site_header = "Feature Memory"
    site_title = "Feature Memory"
    index_title = "Records"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.register(models.Operation, OperationAdmin)
        self.register(models.Rollup, RollupAdmin)
        self.register(models.Series, SeriesAdmin)
        self.register(models.Source, SourceAdmin)
        self.register(models.Breaker, BreakerAdmin)
        self.register(models.BreakerEvent, BreakerEventAdmin)
        self.register(models.HealthSnapshot, HealthSnapshotAdmin)
        self.register(models.ProcessRecord, ProcessRecordAdmin)
        self.register(models.ApiKey, ApiKeyAdmin)
        self.register(models.AuditEntry, AuditEntryAdmin)
