"""The tables, one module per subject."""

from featurememory.models.access import ApiKey, AuditEntry
from featurememory.models.breaker import (
    Breaker,
    BreakerConfiguration,
    BreakerEvent,
    Follower,
    ForgottenBreakers,
    LiveSequence,
    LocalTransition,
)
from featurememory.models.health import HealthSnapshot, ProcessRecord
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
from featurememory.models.rollup import Rollup, RollupMark, Series
from featurememory.models.source import Source

__all__ = [
    "ApiKey",
    "Arm",
    "AuditEntry",
    "Belief",
    "Breaker",
    "BreakerConfiguration",
    "BreakerEvent",
    "Confirmation",
    "FeatureSpace",
    "Feedback",
    "Follower",
    "ForgottenBreakers",
    "HealthSnapshot",
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
    "Rollup",
    "RollupMark",
    "Series",
    "Source",
    "Study",
    "WarmUpVector",
]
