"""The tables, one module per subject."""

from featurememory.models.access import ApiKey, AuditEntry
from featurememory.models.alert import Alert, AlertEvent, AlertRule, AlertSilence
from featurememory.models.annotation import Annotation
from featurememory.models.breaker import (
    Breaker,
    BreakerConfiguration,
    BreakerEvent,
    Follower,
    ForgottenBreakers,
    LiveSequence,
    LocalTransition,
)
from featurememory.models.health import ComponentState, HealthSnapshot, HealthTransition, ProcessRecord
from featurememory.models.job import Job, JobRun
from featurememory.models.notification import (
    AlertChannel,
    AlertDelivery,
    AlertGroup,
    AlertHeartbeat,
    AlertRoute,
)
from featurememory.models.operation import Operation
from featurememory.models.optimization import (
    Arm,
    Belief,
    Feedback,
    LearningSettings,
    Optimization,
    OptimizationEvent,
    PatternEvidence,
    Recommendation,
    Study,
)
from featurememory.models.pattern import Confirmation, FeatureSpace, Pattern, PatternMap, WarmUpVector
from featurememory.models.person import GivenPassword, SignIn
from featurememory.models.resources import CleanupRun, ResourceSample, ResourceSettings
from featurememory.models.rollup import Rollup, RollupMark, Series
from featurememory.models.saved_view import SavedView
from featurememory.models.source import Source
from featurememory.models.validation import ValidationRecord, ValidationTally

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "AlertEvent",
    "AlertGroup",
    "AlertHeartbeat",
    "AlertRoute",
    "AlertRule",
    "AlertSilence",
    "Annotation",
    "ApiKey",
    "Arm",
    "AuditEntry",
    "Belief",
    "Breaker",
    "BreakerConfiguration",
    "BreakerEvent",
    "CleanupRun",
    "ComponentState",
    "Confirmation",
    "FeatureSpace",
    "Feedback",
    "Follower",
    "ForgottenBreakers",
    "GivenPassword",
    "HealthSnapshot",
    "HealthTransition",
    "Job",
    "JobRun",
    "LearningSettings",
    "LiveSequence",
    "LocalTransition",
    "Operation",
    "Optimization",
    "OptimizationEvent",
    "Pattern",
    "PatternEvidence",
    "PatternMap",
    "ProcessRecord",
    "Recommendation",
    "ResourceSample",
    "ResourceSettings",
    "Rollup",
    "RollupMark",
    "SavedView",
    "Series",
    "SignIn",
    "Source",
    "Study",
    "ValidationRecord",
    "ValidationTally",
    "WarmUpVector",
]
