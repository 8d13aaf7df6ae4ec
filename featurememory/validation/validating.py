"""The process's validators, tied to what the memory knows; and what they find, kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from featurememory.core.errors import UnknownSpace
from featurememory.validation.known import constraints, optimization_thresholds, pattern_thresholds
from featurememory.validation.manager import ValidationManager
from featurememory.validation.operation import OperationValidator
from featurememory.validation.optimization import OptimizationValidator
from featurememory.validation.passes import PASSES
from featurememory.validation.resource import ResourceValidator
from featurememory.validation.results import Judged, Subject, ValidationResult
from featurememory.validation.storage import record_one

if TYPE_CHECKING:
    from featurememory.core.features import Vector
    from featurememory.validation.pattern import Likeness

REQUEST = "request"
"""The validator of whatever else the API's callers send: its own schemas."""


@cache
def validators() -> ValidationManager:
    """The process's own."""
    manager = ValidationManager()
    max_age = timedelta(days=settings.CONFIGURATION.max_age_days)
    manager.register("operation", OperationValidator(max_age, timezone.now))
    manager.register("optimization", OptimizationValidator(optimization_thresholds))
    manager.register("pattern", _validate_pattern)
    manager.register("resource", ResourceValidator(constraints))
    return manager


def validate(
    data: Any, validator_type: str, subject: Subject, *, source: str, now: datetime
) -> ValidationResult:
    """The result, which is kept where it is a failure, else counted. UnknownValidator names those there are."""
    result = validators().validate(data, validator_type, subject)
    if result.is_valid:
        PASSES.add(validator_type, source, 1, subject, now.timestamp())
    else:
        record_one(Judged(validator_type, source, subject, result), now)
    return result


def _validate_pattern(data: Any, subject: Subject) -> ValidationResult:
    from featurememory.validation.pattern import PatternValidator  # numpy, where there are features alone

    return PatternValidator(pattern_thresholds, _likeness)(data, subject)


def _likeness(subject: Subject, vector: Vector) -> Likeness | None:
    """None while the space has no patterns to compare with."""
    from featurememory.integration.spaces import spaces
    from featurememory.validation.pattern import Likeness

    try:
        found = spaces().recognise(subject.space, vector.tolist())
    except UnknownSpace:
        return None
    return None if found is None else Likeness(found.verdict, found.similarity)
