"""What is used, held against what may be: how full each resource is, in words, and when that must refuse work."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from featurememory.errors import ResourceConstraintError
from featurememory.resource_management.constraints import ResourceConstraints, ResourceUsage

RELIEF: Final = 0.05
"""A limit that was passed counts until its use is this share below it, so that nothing flaps around it."""


class Reading(NamedTuple):
    """One resource beside its limit."""

    constraint: str
    """The limit's name among the constraints."""
    used: float
    limit: float
    share: float
    """How much of the limit is used up; 1 at the limit."""
    refuses: bool
    """Whether new operations are refused beyond it; the others are kept by cleanup."""
    words: str


class _Resource(NamedTuple):
    usage: str
    constraint: str
    refuses: bool
    phrase: str


_RESOURCES: Final = (
    _Resource("memory_mb", "max_memory_mb", True, "{used:,.0f} MB of memory are used, of {limit:,.0f} MB"),
    _Resource(
        "host_memory_percent",
        "max_host_memory_percent",
        True,
        "{used:.0f} % of the host's memory is used, of {limit:.0f} %",
    ),
    _Resource(
        "disk_free_mb",
        "min_free_disk_mb",
        True,
        "{used:,.0f} MB are free on the database's disk, where at least {limit:,.0f} MB are wanted",
    ),
    _Resource(
        "database_mb", "max_database_mb", False, "The database takes {used:,.0f} MB, of {limit:,.0f} MB"
    ),
    _Resource("operations", "max_operations", False, "{used:,} operations are kept, of {limit:,}"),
    _Resource("patterns", "max_patterns", False, "{used:,} patterns are known, of {limit:,}"),
    _Resource("optimizations", "max_optimizations", False, "{used:,} optimizations are known, of {limit:,}"),
)


def readings(usage: ResourceUsage, constraints: ResourceConstraints) -> list[Reading]:
    """One for each resource whose use is known."""
    found = []
    for each in _RESOURCES:
        used = getattr(usage, each.usage)
        if used is not None:
            limit = getattr(constraints, each.constraint)
            words = f"{each.phrase.format(used=used, limit=limit)} ({each.constraint})"
            found.append(
                Reading(each.constraint, used, limit, _share(each, used, limit), each.refuses, words)
            )
    return found


def _share(resource: _Resource, used: float, limit: float) -> float:
    if resource.constraint.startswith("min_"):
        return limit / used if used else float("inf")
    return used / limit


class Admission:
    """Whether there is room for new operations. Once a limit is passed there is none until its use is RELIEF below."""

    __slots__ = ("_passed", "refusal")

    def __init__(self) -> None:
        self._passed: frozenset[str] = frozenset()
        self.refusal: Reading | None = None
        """What stands in the way."""

    def judge(self, usage: ResourceUsage, constraints: ResourceConstraints) -> Reading | None:
        passed = [
            each
            for each in readings(usage, constraints)
            if each.refuses and each.share >= 1 - RELIEF * (each.constraint in self._passed)
        ]
        self._passed = frozenset(each.constraint for each in passed)
        self.refusal = max(passed, key=lambda each: each.share, default=None)
        return self.refusal


def refused(reading: Reading) -> ResourceConstraintError:
    """The error that names the limit."""
    data: dict[str, Any] = {"resource": reading.constraint, "used": reading.used, "limit": reading.limit}
    return ResourceConstraintError(
        f"{reading.words}: new operations are refused until less is used. Free some, or raise the limit.",
        **data,
    )
