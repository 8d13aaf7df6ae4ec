"""How a breaker is configured: one frozen value, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from featurememory.errors import ConfigurationError

_DAY_MS = 86_400_000.0
_LIMITS: dict[str, tuple[float, float]] = {
    "max_failures": (0, 1_000_000),
    "failure_rate_threshold": (1, 100),
    "slow_call_rate_threshold": (1, 100),
    "slow_call_duration_ms": (1, 7 * _DAY_MS),
    "window_size": (1, 10_000),
    "minimum_calls": (1, 10_000),
    "reset_timeout_ms": (1, _DAY_MS),
    "backoff_multiplier": (1, 100),
    "max_reset_timeout_ms": (1, _DAY_MS),
    "jitter": (0, 1),
    "half_open_permits": (1, 1_000),
    "half_open_timeout_ms": (1, _DAY_MS),
    "max_half_open_ms": (1, _DAY_MS),
    "trip_quorum": (1, 10_000),
}
_WHOLE = frozenset({"max_failures", "window_size", "minimum_calls", "half_open_permits", "trip_quorum"})
_MAX_NAMES = 100

WindowType = Literal["count", "time"]


class HealthThresholds(NamedTuple):
    """Per cent of what a host has, or of the calls of a process that failed, from which on calls are refused as
    overloaded; None switches one off."""

    cpu: float | None = 95.0
    memory: float | None = 95.0
    error_rate: float | None = None


class _Fields(NamedTuple):
    max_failures: int = 5
    failure_rate_threshold: float = 50.0
    slow_call_rate_threshold: float = 100.0
    slow_call_duration_ms: float = 60_000.0
    window_type: WindowType = "count"
    window_size: int = 100
    minimum_calls: int = 20
    reset_timeout_ms: float = 1_000.0
    backoff_multiplier: float = 2.0
    max_reset_timeout_ms: float = 60_000.0
    jitter: float = 0.1
    half_open_permits: int = 3
    half_open_timeout_ms: float = 30_000.0
    max_half_open_ms: float = 60_000.0
    trip_quorum: int = 1
    health_thresholds: HealthThresholds = HealthThresholds()
    monitored_operations: tuple[str, ...] = ()


class BreakerConfig(_Fields):
    """A breaker's thresholds and times; ConfigurationError names the wrong field and what would be right.

    It opens at `max_failures` failures in a row (0 switches that off), or when, once `minimum_calls` are known,
    `failure_rate_threshold` percent of the window's calls failed or `slow_call_rate_threshold` percent lasted
    `slow_call_duration_ms` or longer. The window holds the last `window_size` calls, or those of the last
    `window_size` seconds (`window_type`). It stays open for `reset_timeout_ms`, times `backoff_multiplier` for each
    round of probes that failed in a row, at most `max_reset_timeout_ms`, shortened by up to the share `jitter`. Then
    `half_open_permits` probes decide; one not heard of within `half_open_timeout_ms` counts as failed, and a round
    undecided after `max_half_open_ms` is lost. The fleet's breaker opens once `trip_quorum` processes have tripped.
    It covers `monitored_operations` (operation types; none means all).
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers see the constructor of the fields

        def __new__(cls, *values, **named):
            config = super().__new__(cls, *values, **named)
            config._check()
            return config

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that differs from the defaults by `values`, in which JSON's objects and lists will do."""
        _refuse_unknown("A breaker", values, cls._fields)
        given = dict(values)
        if "health_thresholds" in given:
            given["health_thresholds"] = _health_thresholds(given["health_thresholds"])
        if isinstance(given.get("monitored_operations"), list):
            given["monitored_operations"] = tuple(given["monitored_operations"])
        return cls(**given)

    def to_mapping(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON keeps it."""
        defaults = self._field_defaults
        values = {name: value for name, value in self._asdict().items() if value != defaults[name]}
        if "health_thresholds" in values:
            values["health_thresholds"] = self.health_thresholds._asdict()
        if "monitored_operations" in values:
            values["monitored_operations"] = list(self.monitored_operations)
        return values

    def covers(self, operation_type: str) -> bool:
        """Whether calls of this type are guarded and counted."""
        return not self.monitored_operations or operation_type in self.monitored_operations

    def _check(self) -> None:
        for name in _LIMITS:
            _check_number(name, getattr(self, name))
        if self.window_type not in ("count", "time"):
            raise ConfigurationError(
                f"window_type = {self.window_type!r} is not possible: give 'count' or 'time'.",
                field="window_type",
            )
        _check_thresholds(self.health_thresholds)
        _check_operation_types(self.monitored_operations)
        self._check_together()

    def _check_together(self) -> None:
        if self.window_type == "count" and self.minimum_calls > self.window_size:
            raise ConfigurationError(
                f"minimum_calls = {self.minimum_calls} can never be reached in a window of "
                f"{self.window_size} calls: lower minimum_calls or raise window_size.",
                field="minimum_calls",
            )
        for least, most in (
            ("reset_timeout_ms", "max_reset_timeout_ms"),
            ("half_open_timeout_ms", "max_half_open_ms"),
        ):
            if getattr(self, most) < getattr(self, least):
                raise ConfigurationError(
                    f"{most} = {getattr(self, most):g} is below {least} = {getattr(self, least):g}: "
                    "raise the one or lower the other.",
                    field=most,
                )


def _refuse_unknown(whose: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise ConfigurationError(
            f"{whose} has no setting {unknown[0]!r}; there are {', '.join(known)}.", field=unknown[0]
        )


def _health_thresholds(value: object) -> HealthThresholds:
    if isinstance(value, HealthThresholds):
        return value
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"health_thresholds = {value!r} is not possible: give an object with cpu, memory and error_rate.",
            field="health_thresholds",
        )
    _refuse_unknown("health_thresholds", value, HealthThresholds._fields)
    return HealthThresholds(**value)


def _check_thresholds(thresholds: object) -> None:
    for name, value in _health_thresholds(thresholds)._asdict().items():
        if value is not None and not _is_number(value, 1, 100):
            raise ConfigurationError(
                f"health_thresholds.{name} = {value!r} is not possible: give a number from 1 to 100, or null.",
                field="health_thresholds",
            )


def _check_operation_types(names: object) -> None:
    if (
        not isinstance(names, tuple)
        or len(names) > _MAX_NAMES
        or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names)
    ):
        raise ConfigurationError(
            f"monitored_operations = {names!r} is not possible: give at most {_MAX_NAMES} operation types.",
            field="monitored_operations",
        )


def _check_number(name: str, value: object) -> None:
    low, high = _LIMITS[name]
    whole = name in _WHOLE
    if not _is_number(value, low, high) or (whole and not isinstance(value, int)):
        what = "a whole number" if whole else "a number"
        raise ConfigurationError(
            f"{name} = {value!r} is not possible: give {what} from {low:g} to {high:g}.", field=name
        )


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
