"""The thresholds that validators go by, as the database knows them for each feature space and operation type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurememory.models import Arm, FeatureSpace
from featurememory.optimization.storage import settings_of
from featurememory.resource_management.configuration import limits
from featurememory.resource_management.constraints import ResourceConstraints
from featurememory.validation.optimization import OptimizationThresholds
from featurememory.validation.results import Subject

if TYPE_CHECKING:
    from featurememory.validation.pattern import PatternThresholds


def constraints() -> ResourceConstraints:
    """What the memory may use."""
    return limits().constraints


def pattern_thresholds(subject: Subject) -> PatternThresholds:
    """Those of the subject's space; one that nobody knows yet takes any dimension."""
    from featurememory.core.spaces import Space  # numpy, where there are features alone
    from featurememory.validation.pattern import PatternThresholds

    max_size = constraints().max_pattern_size
    space = FeatureSpace.objects.filter(name=subject.space).first() if subject.space else None
    if space is None:
        return PatternThresholds(max_size)
    calibrated = Space.from_mapping(space.calibration) if space.calibration else None
    typical = calibrated.typical_norm if calibrated else None
    return PatternThresholds(max_size, space.dimension, typical_norm=typical)


def optimization_thresholds(subject: Subject) -> OptimizationThresholds:
    """Those of the subject's operation type, with its study's first baseline."""
    settings = settings_of(subject.operation_type)
    named = Arm.objects.filter(
        study__operation_type=subject.operation_type, study__model=subject.model, number=0
    )
    baseline = named.values_list("parameters", flat=True).first()
    return OptimizationThresholds(settings.steps, baseline, settings.aim)
