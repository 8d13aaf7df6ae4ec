"""The admin, in the dashboard's clothes: what it shows is registered here and nowhere else."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from featurememory import models
from featurememory.admin.access import ApiKeyAdmin, AuditEntryAdmin
from featurememory.admin.alerts import AlertAdmin, AlertEventAdmin, AlertRuleAdmin, AlertSilenceAdmin
from featurememory.admin.annotations import AnnotationAdmin, SavedViewAdmin
from featurememory.admin.breakers import BreakerAdmin, BreakerEventAdmin
from featurememory.admin.health import (
    ComponentStateAdmin,
    HealthSnapshotAdmin,
    HealthTransitionAdmin,
    ProcessRecordAdmin,
)
from featurememory.admin.jobs import JobAdmin, JobRunAdmin
from featurememory.admin.notification import (
    AlertChannelAdmin,
    AlertDeliveryAdmin,
    AlertGroupAdmin,
    AlertHeartbeatAdmin,
    AlertRouteAdmin,
)
from featurememory.admin.optimizations import (
    ArmAdmin,
    FeedbackAdmin,
    LearningSettingsAdmin,
    OptimizationAdmin,
    OptimizationEventAdmin,
    RecommendationAdmin,
    StudyAdmin,
)
from featurememory.admin.patterns import FeatureSpaceAdmin, PatternAdmin
from featurememory.admin.resources import CleanupRunAdmin, ResourceSampleAdmin, ResourceSettingsAdmin
from featurememory.admin.traffic import OperationAdmin, RollupAdmin, SeriesAdmin, SourceAdmin
from featurememory.admin.validations import ValidationRecordAdmin, ValidationTallyAdmin


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
        self.register(models.AlertRule, AlertRuleAdmin)
        self.register(models.Alert, AlertAdmin)
        self.register(models.AlertEvent, AlertEventAdmin)
        self.register(models.AlertSilence, AlertSilenceAdmin)
        self.register(models.Annotation, AnnotationAdmin)
        self.register(models.SavedView, SavedViewAdmin)
        self.register(models.FeatureSpace, FeatureSpaceAdmin)
        self.register(models.Pattern, PatternAdmin)
        self.register(models.Study, StudyAdmin)
        self.register(models.Arm, ArmAdmin)
        self.register(models.Optimization, OptimizationAdmin)
        self.register(models.OptimizationEvent, OptimizationEventAdmin)
        self.register(models.Recommendation, RecommendationAdmin)
        self.register(models.Feedback, FeedbackAdmin)
        self.register(models.LearningSettings, LearningSettingsAdmin)
        self.register(models.ValidationRecord, ValidationRecordAdmin)
        self.register(models.ValidationTally, ValidationTallyAdmin)
        self.register(models.HealthSnapshot, HealthSnapshotAdmin)
        self.register(models.ComponentState, ComponentStateAdmin)
        self.register(models.HealthTransition, HealthTransitionAdmin)
        self.register(models.ProcessRecord, ProcessRecordAdmin)
        self.register(models.ResourceSettings, ResourceSettingsAdmin)
        self.register(models.ResourceSample, ResourceSampleAdmin)
        self.register(models.CleanupRun, CleanupRunAdmin)
        self.register(models.Job, JobAdmin)
        self.register(models.JobRun, JobRunAdmin)
        self.register(models.AlertChannel, AlertChannelAdmin)
        self.register(models.AlertRoute, AlertRouteAdmin)
        self.register(models.AlertGroup, AlertGroupAdmin)
        self.register(models.AlertDelivery, AlertDeliveryAdmin)
        self.register(models.AlertHeartbeat, AlertHeartbeatAdmin)
        self.register(models.ApiKey, ApiKeyAdmin)
        self.register(models.AuditEntry, AuditEntryAdmin)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """There is one page to change it, which ends the other sessions too."""
        return redirect("account-password")

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one page to sign in; who is signed in and may not see the admin is told so."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
