"""Whether an operation would be taken in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from featurememory.ingestion.operations import MAX_AHEAD, Operation, as_finding, check_operation
from featurememory.validation.results import Subject, ValidationResult


class OperationValidator:
    """Data: an operation as `POST /operations` takes it."""

    def __init__(self, max_age: timedelta, clock: Callable[[], datetime]) -> None:
        self._max_age = max_age
        self._clock = clock

    def __call__(self, data: Any, subject: Subject) -> ValidationResult:
        found = check_operation(data, self._clock(), self._max_age)
        errors = [] if isinstance(found, Operation) else found
        metadata = {
            "checked": tuple(Operation.model_fields),
            "thresholds": {"max_age_days": self._max_age.days, "max_ahead_s": MAX_AHEAD.total_seconds()},
        }
        return ValidationResult.of(map(as_finding, errors), metadata)
