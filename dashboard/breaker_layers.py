"""What each setting of a breaker means, and which layer it comes from: the defaults, what callers' SDKs declare,
all breakers, an operation type, one breaker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.words import duration, plural
from featurememory.circuit_breaker.config import BreakerConfig, HealthThresholds
from featurememory.circuit_breaker.configuration import Layers, Scope
from featurememory.errors import ConfigurationError
from featurememory.models import Breaker

Kind = Literal["whole", "number", "threshold", "window", "names"]
THRESHOLDS = "health_thresholds"


@dataclass(frozen=True, slots=True)
class Setting:
    """`name` is BreakerConfig's; one of the health thresholds has its own behind a dot."""

    name: str
    title: str
    meaning: str
    unit: str
    kind: Kind = "number"

    @property
    def units(self) -> str:
        """Behind a field to type it in."""
        return _PLURALS.get(self.unit, self.unit)

    @property
    def field(self) -> str:
        """Its name in a form."""
        return self.name.replace(".", "_")

    def words(self, value: Any) -> str:
        """The value as people read it."""
        if self.kind == "names":
            return ", ".join(value) if value else "all operation types"
        if self.kind == "window":
            return "the last calls" if value == "count" else "the last seconds"
        if value is None:
            return "off"
        if self.unit == "ms":
            return duration(value)
        if self.unit in _PLURALS:
            return plural(value, self.unit, _PLURALS[self.unit])
        return f"{value:,g} {self.unit}".strip()


_PLURALS = {"failure": "failures", "call": "calls", "probe": "probes", "process": "processes"}


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    settings: tuple[Setting, ...]


GROUPS = (
    Group(
        "When it opens",
        (
            Setting(
                "max_failures",
                "Failures in a row",
                "So many failures one after the other open it; 0 switches this off.",
                "failure",
                "whole",
            ),
            Setting(
                "failure_rate_threshold",
                "Failure rate",
                "It opens when this share of the calls in the window failed.",
                "%",
            ),
            Setting(
                "slow_call_rate_threshold",
                "Slow-call rate",
                "It opens when this share of the calls in the window was slow.",
                "%",
            ),
            Setting(
                "slow_call_duration_ms",
                "Slow from",
                "A call that lasts so long is slow, whether it succeeds or not.",
                "ms",
            ),
            Setting(
                "minimum_calls",
                "Calls needed for a rate",
                "With fewer calls in the window no rate is judged.",
                "call",
                "whole",
            ),
        ),
    ),
    Group(
        "What it looks at",
        (
            Setting(
                "window_type",
                "Window",
                "Whether rates are those of the last calls or of the last seconds.",
                "",
                "window",
            ),
            Setting(
                "window_size",
                "Size of the window",
                "How many of the last calls, or of the last seconds, it holds.",
                "",
                "whole",
            ),
            Setting(
                "monitored_operations",
                "Operation types",
                "Only calls of these types are guarded and counted; one a line, * for all of them.",
                "",
                "names",
            ),
        ),
    ),
    Group(
        "How it recovers",
        (
            Setting("reset_timeout_ms", "Waiting time", "So long it stays open before it probes.", "ms"),
            Setting(
                "backoff_multiplier",
                "Backoff",
                "The waiting time is multiplied by this for each round of probes that failed in a row.",
                "×",
            ),
            Setting("max_reset_timeout_ms", "Longest waiting time", "It never waits longer than this.", "ms"),
            Setting(
                "jitter",
                "Jitter",
                "The waiting time is shortened by chance, by up to this share (0 to 1): not all come at once.",
                "",
            ),
            Setting(
                "half_open_permits",
                "Probes",
                "So many calls are let through over the whole fleet; when they are back, they decide.",
                "probe",
                "whole",
            ),
            Setting(
                "half_open_timeout_ms",
                "A probe’s time",
                "A probe not heard of by then has failed and gives its place back.",
                "ms",
            ),
            Setting(
                "max_half_open_ms",
                "A round’s time",
                "A round of probes undecided by then is lost, and it opens again.",
                "ms",
            ),
        ),
    ),
    Group(
        "The fleet and its hosts",
        (
            Setting(
                "trip_quorum",
                "Processes that must trip",
                "So many processes must have tripped within a minute before it opens for all.",
                "process",
                "whole",
            ),
            Setting(
                f"{THRESHOLDS}.cpu",
                "Processor",
                "From this use of a host’s processors on its calls are refused as overloaded.",
                "%",
                "threshold",
            ),
            Setting(
                f"{THRESHOLDS}.memory",
                "Memory",
                "From this use of a host’s memory on its calls are refused as overloaded.",
                "%",
                "threshold",
            ),
            Setting(
                f"{THRESHOLDS}.error_rate",
                "Error rate",
                "From this share of a process’s failed calls on its calls are refused as overloaded.",
                "%",
                "threshold",
            ),
        ),
    ),
)
SETTINGS = {setting.name: setting for group in GROUPS for setting in group.settings}


@dataclass(frozen=True, slots=True)
class Layer:
    """`source` completes "set ..." or stands for itself."""

    source: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeldValue:
    """What holds for a setting, and from where."""

    setting: Setting
    value: Any
    source: str

    @property
    def words(self) -> str:
        return self.setting.words(self.value)


BY_DEFAULT = Layer("by default", BreakerConfig()._asdict())


def layers_under(layers: Layers, scope: str, name: str, breaker: Breaker | None = None) -> list[Layer]:
    """What lies under a layer, lowest first; `breaker` is the one that is meant, if one is."""
    everybody = Layer("for all breakers", layers.of(Scope.DEFAULT))
    if scope == Scope.DEFAULT:
        return [BY_DEFAULT]
    if scope == Scope.OPERATION_TYPE or breaker is None:
        return [BY_DEFAULT, everybody]
    kind = breaker.operation_type
    of_type = Layer(f"for operation type {kind}", layers.of(Scope.OPERATION_TYPE, kind))
    above = {**everybody.values, **of_type.values}
    declared = Layer("by its callers’ SDK", breaker.declared if _fit(breaker.declared, above) else {})
    return [BY_DEFAULT, declared, everybody, of_type]


def resolve(layers: Iterable[Layer]) -> dict[str, HeldValue]:
    """What comes of layers that lie over each other, by the setting's name."""
    held: dict[str, HeldValue] = {}
    for layer in layers:
        for name, value in flat(layer.values).items():
            held[name] = HeldValue(SETTINGS[name], value, layer.source)
    return held


def held_values(layers: Layers, breaker: Breaker) -> tuple[HeldValue, ...]:
    """Where a breaker differs from the defaults, in the order of the settings' page."""
    own = Layer("for this breaker", layers.of(Scope.BREAKER, breaker.name))
    held = resolve([*layers_under(layers, Scope.BREAKER, breaker.name, breaker), own])
    return tuple(held[name] for name in SETTINGS if held[name].source != BY_DEFAULT.source)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the health thresholds, which are set together, one by one."""
    apart = {name: value for name, value in values.items() if name != THRESHOLDS}
    if THRESHOLDS in values:
        given = values[THRESHOLDS]
        thresholds = given if isinstance(given, HealthThresholds) else HealthThresholds(**given)
        apart |= {f"{THRESHOLDS}.{name}": value for name, value in thresholds._asdict().items()}
    return apart


def _fit(declared: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    try:
        BreakerConfig.from_mapping({**declared, **above})
    except ConfigurationError:
        return False
    return True
