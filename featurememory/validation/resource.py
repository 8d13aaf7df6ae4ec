"""Whether what the memory uses lies within its constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from featurememory.resource_management.constraints import ResourceConstraints, ResourceUsage
from featurememory.validation.results import Finding, Subject, ValidationResult, error, warning


class _Limit(NamedTuple):
    constraint: str
    unit: str
    fix: str
    is_least: bool = False
    """What is left must not fall below it, rather than what is used rise above it."""


_LIMITS: Final[Mapping[str, _Limit]] = {
    "memory_mb": _Limit("max_memory_mb", " MB", "clean up, or allow more memory"),
    "host_memory_percent": _Limit("max_host_memory_percent", " %", "free memory on the host"),
    "disk_free_mb": _Limit("min_free_disk_mb", " MB", "free room on the database's disk", is_least=True),
    "database_mb": _Limit("max_database_mb", " MB", "clean up, or allow a larger database"),
    "operations": _Limit("max_operations", "", "clean up, or keep operations for less long"),
    "patterns": _Limit("max_patterns", "", "merge or forget patterns"),
    "optimizations": _Limit("max_optimizations", "", "retire parameter sets"),
}


class ResourceValidator:
    """Data: a ResourceUsage, or an object of its fields; None where nobody can tell."""

    def __init__(self, constraints: Callable[[], ResourceConstraints]) -> None:
        self._constraints = constraints

    def __call__(self, data: Any, subject: Subject) -> ValidationResult:
        constraints = self._constraints()
        used = data._asdict() if isinstance(data, ResourceUsage) else data
        metadata: dict[str, Any] = {"checked": tuple(_LIMITS), "thresholds": constraints.to_mapping()}
        if not isinstance(used, Mapping):
            message = f"give an object with what is used, of {', '.join(_LIMITS)}"
            return ValidationResult.of([error("object", "data", message, data)], metadata)
        return ValidationResult.of(_findings(used, constraints), metadata)


def _findings(used: Mapping[Any, Any], constraints: ResourceConstraints) -> Iterator[Finding]:
    for name, value in used.items():
        if name not in _LIMITS:
            message = f"is no resource; there are {', '.join(_LIMITS)}"
            yield error("extra_forbidden", str(name)[:100], message, value)
        elif value is not None:
            yield from _of_resource(name, value, constraints)


def _of_resource(name: str, value: Any, constraints: ResourceConstraints) -> Iterator[Finding]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (isinstance(value, int) or isfinite(value)) or value < 0:
        yield error("number", name, "must be a number from 0 on, or null where nobody can tell", value)
        return
    constraint, unit, fix, is_least = _LIMITS[name]
    limit, high = getattr(constraints, constraint), constraints.cleanup_high
    passed = value < limit if is_least else value > limit
    if passed:
        message = (
            f"{value:,.6g}{unit} {'left' if is_least else 'used'}, {constraint} is {limit:,.6g}{unit}: {fix}"
        )
        yield error(constraint, name, message, value)
    elif value * high < limit if is_least else value >= limit * high:
        message = f"{value:,.6g}{unit} {'left' if is_least else 'used'}, near {constraint} = {limit:,.6g}{unit}: {fix}"
        yield warning("near_limit", name, message, value)
