"""How a breaker is configured: one frozen value, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from featurememory.errors import ConfigurationError

_DAY_MS = 86_400_000.0
_LIMITS: dict[str, tuple[float, float]] = {
    "max_failures": (0, 1_000_000),
    "failure_rate_threshold": (1, 100),
    "window_size": (1, 10_000),
    "minimum_calls": (1, 10_000),
    "reset_timeout_ms": (1, _DAY_MS),
    "backoff_multiplier": (1, 100),
    "max_reset_timeout_ms": (1, _DAY_MS),
    "jitter": (0, 1),
    "half_open_permits": (1, 1_000),
    "half_open_timeout_ms": (1, _DAY_MS),
}
_WHOLE = frozenset({"max_failures", "window_size", "minimum_calls", "half_open_permits"})


class _Fields(NamedTuple):
    max_failures: int = 5
    failure_rate_threshold: float = 50.0
    window_size: int = 100
    minimum_calls: int = 20
    reset_timeout_ms: float = 1_000.0
    backoff_multiplier: float = 2.0
    max_reset_timeout_ms: float = 60_000.0
    jitter: float = 0.1
    half_open_permits: int = 3
    half_open_timeout_ms: float = 30_000.0


class BreakerConfig(_Fields):
    """A breaker's thresholds and times; ConfigurationError names the wrong field and what would be right.

    It opens at `max_failures` failures in a row (0 switches that off), or when `failure_rate_threshold`
    percent of the last `window_size` calls failed, once `minimum_calls` are known. It stays open for
    `reset_timeout_ms`, times `backoff_multiplier` for each round of probes that failed in a row, at most
    `max_reset_timeout_ms`, shortened by up to the share `jitter`. Then `half_open_permits` probes decide; one
    not heard of within `half_open_timeout_ms` counts as failed.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers see the constructor of the fields

        def __new__(cls, *values, **named):
            config = super().__new__(cls, *values, **named)
            config._check()
            return config

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that differs from the defaults by `values`."""
        unknown = sorted(values.keys() - set(cls._fields))
        if unknown:
            known = ", ".join(cls._fields)
            raise ConfigurationError(
                f"A breaker has no setting {unknown[0]!r}; there are {known}.", field=unknown[0]
            )
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """What differs from the defaults."""
        defaults = self._field_defaults
        return {name: value for name, value in self._asdict().items() if value != defaults[name]}

    def _check(self) -> None:
        for name, value in self._asdict().items():
            _check_number(name, value)
        if self.minimum_calls > self.window_size:
            raise ConfigurationError(
                f"minimum_calls = {self.minimum_calls} can never be reached in a window of "
                f"{self.window_size} calls: lower minimum_calls or raise window_size.",
                field="minimum_calls",
            )
        if self.max_reset_timeout_ms < self.reset_timeout_ms:
            raise ConfigurationError(
                f"max_reset_timeout_ms = {self.max_reset_timeout_ms:g} is below reset_timeout_ms = "
                f"{self.reset_timeout_ms:g}: raise the one or lower the other.",
                field="max_reset_timeout_ms",
            )


def _check_number(name: str, value: object) -> None:
    low, high = _LIMITS[name]
    kinds = (int,) if name in _WHOLE else (int, float)
    what = "a whole number" if name in _WHOLE else "a number"
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise ConfigurationError(
            f"{name} = {value!r} is not possible: give {what} from {low:g} to {high:g}.", field=name
        )
