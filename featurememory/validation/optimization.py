"""Whether a parameter set and what is said of it can be learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from featurememory.errors import ValidationError
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.parameters import MAX_BYTES, MAX_KEYS, Parameters, canonical, checked
from featurememory.optimization.reward import Aim
from featurememory.optimization.steps import Range
from featurememory.validation.results import (
    Finding,
    Subject,
    ValidationResult,
    error,
    findings_of,
    warning,
)

FIELDS: Final = ("parameters", "score", "status", "effectiveness")
EFFECTS: Final[Mapping[str, float]] = {"score": 1.0, "both": 30.0, "duration": 30.0}
"""The largest effect by objective. Scores differ by 1 at most; between a microsecond and a week the logarithms of
durations differ by 28."""


class OptimizationThresholds(NamedTuple):
    """Those of one operation type and model."""

    ranges: Mapping[str, Range] = {}
    """What the operation type's learning allows, by parameter."""
    baseline: Parameters | None = None
    """Whose keys the parameters must have; None where nobody has named one yet."""
    aim: Aim | None = None


class OptimizationValidator:
    """Data: {"parameters": {...}, "score"?, "status"?, "effectiveness"?}."""

    def __init__(self, thresholds: Callable[[Subject], OptimizationThresholds]) -> None:
        self._thresholds = thresholds

    def __call__(self, data: Any, subject: Subject) -> ValidationResult:
        thresholds = self._thresholds(subject)
        largest = EFFECTS[thresholds.aim or "duration"]
        metadata = {
            "checked": FIELDS,
            "thresholds": {
                "max_keys": MAX_KEYS,
                "max_bytes": MAX_BYTES,
                "score": [0, 1],
                "effectiveness": [-largest, largest],
                "status": [each.value for each in Status],
                "ranges": {name: each.to_mapping() for name, each in thresholds.ranges.items()},
                "keys": None if thresholds.baseline is None else sorted(thresholds.baseline),
            },
        }
        return ValidationResult.of(_findings(data, thresholds, largest), metadata)


def _findings(data: Any, thresholds: OptimizationThresholds, largest: float) -> Iterator[Finding]:
    if not isinstance(data, Mapping):
        yield error(
            "object", "data", f'give an object such as {{"parameters": {{...}}}}, of {_listed()}', data
        )
        return
    for name, value in data.items():
        if name not in FIELDS:
            yield error(
                "extra_forbidden", str(name)[:100], f"is not known here; there are {_listed()}", value
            )
    if "parameters" not in data:
        yield error("missing", "parameters", "is missing: give the parameter set as an object")
    else:
        yield from _of_parameters(data["parameters"], thresholds)
    yield from _of_number("score", data.get("score"), 0, 1)
    yield from _of_number("effectiveness", data.get("effectiveness"), -largest, largest)
    status = data.get("status")
    if status is not None and status not in list(Status):
        message = f"is no status; there are {', '.join(Status)}"
        yield error("status", "status", message, status)


def _of_parameters(parameters: Any, thresholds: OptimizationThresholds) -> Iterator[Finding]:
    try:
        checked(parameters, "parameters", like=thresholds.baseline)
    except ValidationError as wrong:
        yield from findings_of(wrong, {"parameters": parameters})
        return
    for name, allowed in thresholds.ranges.items():
        if name in parameters and not allowed.holds(parameters[name]):
            yield error("range", f"parameters.{name}", f"must be {allowed.words}", parameters[name])
    if thresholds.baseline is not None and canonical(parameters) == canonical(thresholds.baseline):
        yield warning("baseline", "parameters", "are the baseline's: there is nothing to be gained by them")


def _of_number(name: str, value: Any, low: float, high: float) -> Iterator[Finding]:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (isinstance(value, int) or isfinite(value)) or not low <= value <= high:
        yield error("range", name, f"must be a number from {low:g} to {high:g}", value)


def _listed() -> str:
    return ", ".join(FIELDS)
