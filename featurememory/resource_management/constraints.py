"""How much the memory may use: limits, and the thresholds between which cleanup works. A frozen value, checked as a
whole. The SDK uses it too, so it is a named tuple: dataclasses would cost its hosts a megabyte."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, Self

from featurememory.errors import ConfigurationError


class ResourceUsage(NamedTuple):
    """What is used by now; None where nobody can tell."""

    memory_mb: float | None = None
    """Of all processes of this installation on this machine, shared pages counted once (PSS)."""
    host_memory_percent: float | None = None
    """Of the host, or of the container's limit where that is lower."""
    disk_free_mb: float | None = None
    """Where the database lies; None where that is another machine's."""
    database_mb: float | None = None
    operations: int | None = None
    patterns: int | None = None
    optimizations: int | None = None


class ResourceConstraints(NamedTuple):
    """The defaults suit a laptop. Cleanup begins when a limit is used up by `cleanup_high`, and ends at
    `cleanup_low`."""

    max_memory_mb: float = 1_024
    """Beyond it new operations are refused until less is used."""
    max_host_memory_percent: float = 95
    """As `max_memory_mb`, of the host or the container."""
    min_free_disk_mb: float = 256
    """With less room than this on the database's disk new operations are refused: a full disk would lose some."""
    max_database_mb: float = 4_096
    max_operations: int = 5_000_000
    max_patterns: int = 50_000
    """Of all feature spaces together; FEATUREMEMORY_MAX_PATTERNS bounds each."""
    max_pattern_size: int = 8_192
    """Numbers in one feature vector."""
    max_optimizations: int = 50_000
    cleanup_high: float = 0.9
    cleanup_low: float = 0.75
    protected_hours: float = 1
    """What is younger stays, even where a limit is passed."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The defaults with `values` over them. ConfigurationError names the field that is wrong, and what is
        right."""
        for name, value in values.items():
            if name not in _BOUNDS:
                raise _wrong(name, value, f"no constraint; there are {', '.join(_BOUNDS)}")
            _check(name, value)
        constraints = cls(**values)
        if constraints.cleanup_low >= constraints.cleanup_high:
            raise _wrong(
                "cleanup_low",
                constraints.cleanup_low,
                f"not below cleanup_high = {constraints.cleanup_high:g}: cleanup would never end",
            )
        return constraints

    def to_mapping(self) -> dict[str, float]:
        return self._asdict()


_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "max_memory_mb": (64, 16_777_216),
    "max_host_memory_percent": (10, 100),
    "min_free_disk_mb": (16, 16_777_216),
    "max_database_mb": (16, 67_108_864),
    "max_operations": (1_000, 100_000_000_000),
    "max_patterns": (10, 100_000_000),
    "max_pattern_size": (1, 8_192),
    "max_optimizations": (10, 100_000_000),
    "cleanup_high": (0.1, 1),
    "cleanup_low": (0.05, 0.95),
    "protected_hours": (0.01, 8_760),
}


def _check(name: str, value: object) -> None:
    whole = isinstance(ResourceConstraints._field_defaults[name], int) and name.startswith("max_")
    whole = whole and not name.endswith(("_mb", "_percent"))
    low, high = _BOUNDS[name]
    kind = int if whole else int | float
    if (
        isinstance(value, bool)
        or not isinstance(value, kind)
        or not isfinite(value)
        or not low <= value <= high
    ):
        raise _wrong(
            name, value, f"not {'a whole number' if whole else 'a number'} from {low:,g} to {high:,g}"
        )


def _wrong(name: str, value: object, what: str) -> ConfigurationError:
    return ConfigurationError(f"{name} = {value!r} is {what}.", field=name, value=value)
