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
from featurememory.models.pattern import FeatureSpace, Pattern, PatternMap, WarmUpVector
from featurememory.models.rollup import Rollup, RollupMark, Series
from featurememory.models.source import Source

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Breaker",
    "BreakerConfiguration",
    "BreakerEvent",
    "FeatureSpace",
    "Follower",
    "ForgottenBreakers",
    "HealthSnapshot",
    "LiveSequence",
    "LocalTransition",
    "Operation",
    "Pattern",
    "PatternMap",
    "ProcessRecord",
    "Rollup",
    "RollupMark",
    "Series",
    "Source",
    "WarmUpVector",
]
