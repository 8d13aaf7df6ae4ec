"""Alert rules as values: what must not be, for how long, and when it is over again. Plain.

A rule asks its signal for a figure of each label set and judges it. The kinds of condition:

- threshold: the figure is above (or below) a threshold; it is over again at the resolve threshold.
- change: the figure has risen (or fallen) by so many percent against the window before, the day before or the week
  before.
- absence: a label set that was there has had nothing for so long.
- burn_rate: the error budget is burnt 14.4 times too fast over 1 h and 5 min, 6 times over 6 h and 30 min, or once
  over 3 d and 6 h (Google, "The Site Reliability Workbook", chapter 5, "Alerting on SLOs").
- event: something happened within so long, so many times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from featurememory.alerts.labels import MAX_NAME, MAX_VALUE, Labels, Matchers, matchers_of
from featurememory.errors import ConfigurationError

MAX_LABELS: Final = 20
LONGEST_WINDOW_S: Final = 7 * 86_400.0
LONGEST_WAIT_S: Final = 86_400.0
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OURS: Final = ("alertname", "severity")


class Kind(StrEnum):
    THRESHOLD = "threshold"
    CHANGE = "change"
    ABSENCE = "absence"
    BURN_RATE = "burn_rate"
    EVENT = "event"


class Against(StrEnum):
    BEFORE = "before"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Of the figure over the last `window_s` seconds."""

    kind: ClassVar[Kind] = Kind.THRESHOLD
    operator: str
    threshold: float
    window_s: float = 300.0
    resolve_threshold: float | None = None
    """Where an alert is over again; the threshold itself where there is none."""
    minimum_calls: int = 1
    """A figure of fewer calls is none."""

    @property
    def lowest(self) -> float:
        """Below it nothing fires and what fires is over; of a rule about what is above."""
        return self.threshold if self.resolve_threshold is None else self.resolve_threshold

    def is_met(self, value: float, *, is_firing: bool) -> bool:
        bound = self.threshold
        if is_firing and self.resolve_threshold is not None:
            bound = self.resolve_threshold
        return value > bound if self.operator == "above" else value < bound


@dataclass(frozen=True, slots=True)
class Change:
    """By how many percent the figure has moved."""

    kind: ClassVar[Kind] = Kind.CHANGE
    operator: str
    percent: float
    window_s: float = 900.0
    against: Against = Against.BEFORE
    minimum: float = 0.0
    """A figure below it does not count, whatever it was before."""
    minimum_calls: int = 1

    def is_met(self, value: float, before: float, *, is_firing: bool) -> bool:
        moved = change_in_percent(value, before)
        if self.operator == "above":
            return moved > self.percent and value >= self.minimum
        return -moved > self.percent and before >= self.minimum


@dataclass(frozen=True, slots=True)
class Absence:
    kind: ClassVar[Kind] = Kind.ABSENCE
    window_s: float = 900.0


@dataclass(frozen=True, slots=True)
class BurnRate:
    """`objective`: the share of calls that must succeed. Windows with fewer failures than `minimum` burn nothing."""

    kind: ClassVar[Kind] = Kind.BURN_RATE
    objective: float = 0.99
    minimum: int = 10


@dataclass(frozen=True, slots=True)
class Event:
    kind: ClassVar[Kind] = Kind.EVENT
    within_s: float = 300.0
    times: int = 1


Condition = Threshold | Change | Absence | BurnRate | Event


@dataclass(frozen=True, slots=True)
class Window:
    """One pair of the burn rate's: it burns where both the long and the short one do."""

    long_s: float
    short_s: float
    factor: float


BURN_WINDOWS: Final = (
    Window(3_600, 300, 14.4),
    Window(6 * 3_600, 1_800, 6.0),
    Window(3 * 86_400, 6 * 3_600, 1.0),
)


def burn_rate(failed: int, judged: int, objective: float) -> float:
    """How many times faster than allowed the error budget is used up."""
    return failed / judged / (1 - objective) if judged else 0.0


def change_in_percent(value: float, before: float) -> float:
    """What rose from nothing has risen without bound."""
    if before == 0:
        return 0.0 if value == 0 else math.inf
    return (value - before) / abs(before) * 100


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `values` and `of` are each other's inverse."""

    name: str
    signal: str
    condition: Condition
    severity: str = "warning"
    summary: str = ""
    description: str = ""
    runbook_url: str = ""
    matchers: Matchers = ()
    labels: Labels = field(default_factory=dict)
    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    no_data: str = "keep"
    is_enabled: bool = True

    @property
    def kind(self) -> Kind:
        return self.condition.kind

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From the columns of a rule's row; ConfigurationError names the field that is wrong, and what is right."""
        kind = _one_of(given, "kind", [each.value for each in Kind])
        return cls(
            name=_text(given, "name", 100, least=1),
            signal=_text(given, "signal", 50, least=1),
            condition=_CONDITIONS[Kind(kind)](_object(given, "condition")),
            severity=_one_of(given, "severity", ["critical", "warning", "info"]),
            summary=_text(given, "summary", 300),
            description=_text(given, "description", 5_000),
            runbook_url=_url(given, "runbook_url"),
            matchers=matchers_of(given.get("matchers", [])),
            labels=_labels(given),
            for_s=_number(given, "for_s", 0.0, 0, LONGEST_WAIT_S),
            keep_firing_for_s=_number(given, "keep_firing_for_s", 0.0, 0, LONGEST_WAIT_S),
            no_data=_one_of(given, "no_data", ["keep", "resolve", "alert"], "keep"),
            is_enabled=bool(given.get("is_enabled", True)),
        )

    def values(self) -> dict[str, Any]:
        condition = {name: value for name, value in asdict(self.condition).items() if value is not None}
        return {
            "name": self.name,
            "kind": self.kind.value,
            "signal": self.signal,
            "condition": condition,
            "matchers": [each.as_json() for each in self.matchers],
            "for_s": self.for_s,
            "keep_firing_for_s": self.keep_firing_for_s,
            "no_data": self.no_data,
            "severity": self.severity,
            "labels": dict(self.labels),
            "summary": self.summary,
            "description": self.description,
            "runbook_url": self.runbook_url,
            "is_enabled": self.is_enabled,
        }

    @property
    def threshold(self) -> float | None:
        """The line to draw beside the figure."""
        match self.condition:
            case Threshold(threshold=threshold):
                return threshold
            case BurnRate(objective=objective):
                return 1 - objective
            case Event(times=times):
                return float(times)
            case _:
                return None

    def summary_of(self, labels: Labels, value: str) -> str:
        """The template with its `{names}` filled in: labels, {value} and {threshold}. An unknown name stays."""
        threshold = "" if self.threshold is None else f"{self.threshold:g}"
        known = {**labels, "value": value, "threshold": threshold}
        template = self.summary or f"{self.name}: {{value}}"
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), template)[:500]


def _threshold(given: Mapping[str, Any]) -> Threshold:
    operator = _one_of(given, "operator", ["above", "below"], "above", "condition.")
    threshold = _number(given, "threshold", None, -1e15, 1e15, "condition.")
    resolve = None
    if given.get("resolve_threshold") is not None:
        resolve = _number(given, "resolve_threshold", None, -1e15, 1e15, "condition.")
        if (resolve > threshold) if operator == "above" else (resolve < threshold):
            side = "above" if operator == "above" else "below"
            raise _wrong("condition.resolve_threshold", f"must not lie {side} the threshold")
    return Threshold(operator, threshold, _window(given, 300.0), resolve, _minimum_calls(given))


def _change(given: Mapping[str, Any]) -> Change:
    return Change(
        _one_of(given, "operator", ["above", "below"], "above", "condition."),
        _number(given, "percent", None, 0.1, 1e6, "condition."),
        _window(given, 900.0),
        Against(_one_of(given, "against", [each.value for each in Against], "before", "condition.")),
        _number(given, "minimum", 0.0, 0, 1e15, "condition."),
        _minimum_calls(given),
    )


def _absence(given: Mapping[str, Any]) -> Absence:
    return Absence(_window(given, 900.0))


def _burn_rate(given: Mapping[str, Any]) -> BurnRate:
    objective = _number(given, "objective", 0.99, 0.5, 0.99999, "condition.")
    return BurnRate(objective, int(_number(given, "minimum", 10, 1, 1e9, "condition.")))


def _event(given: Mapping[str, Any]) -> Event:
    within = _number(given, "within_s", 300.0, 60, LONGEST_WINDOW_S, "condition.")
    return Event(within, int(_number(given, "times", 1, 1, 10_000, "condition.")))


_CONDITIONS: Final[Mapping[Kind, Callable[[Mapping[str, Any]], Condition]]] = {
    Kind.THRESHOLD: _threshold,
    Kind.CHANGE: _change,
    Kind.ABSENCE: _absence,
    Kind.BURN_RATE: _burn_rate,
    Kind.EVENT: _event,
}


def _window(given: Mapping[str, Any], default: float) -> float:
    return _number(given, "window_s", default, 60, LONGEST_WINDOW_S, "condition.")


def _minimum_calls(given: Mapping[str, Any]) -> int:
    return int(_number(given, "minimum_calls", 1, 1, 1e9, "condition."))


def _number(
    given: Mapping[str, Any], name: str, default: float | None, least: float, most: float, where: str = ""
) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise _wrong(where + name, f"must be a number from {least:g} to {most:g}")
    return float(value)


def _text(given: Mapping[str, Any], name: str, most: int, least: int = 0) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or not least <= len(value.strip()) <= most or "\0" in value:
        raise _wrong(name, f"must be text of {least} to {most} characters")
    return value.strip()


def _url(given: Mapping[str, Any], name: str) -> str:
    value = _text(given, name, 500)
    if value and not re.match(r"https?://[^\s/]+", value):
        raise _wrong(name, "must begin with https:// or http://")
    return value


def _one_of(
    given: Mapping[str, Any], name: str, choices: list[str], default: str | None = None, where: str = ""
) -> str:
    value = given.get(name, default)
    if value not in choices:
        raise _wrong(where + name, f"must be one of {', '.join(choices)}")
    return str(value)


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, Mapping):
        raise _wrong(name, "must be an object")
    return value


def _labels(given: Mapping[str, Any]) -> dict[str, str]:
    labels = _object(given, "labels")
    if len(labels) > MAX_LABELS:
        raise _wrong("labels", f"must be at most {MAX_LABELS}")
    for name, value in labels.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not _LABEL.fullmatch(name) or name in _OURS:
            raise _wrong("labels", f"{name!r} must be letters, digits and _, and none of {', '.join(_OURS)}")
        if not isinstance(value, str) or len(value) > MAX_VALUE or "\0" in value:
            raise _wrong(f"labels.{name}", f"must be text of at most {MAX_VALUE} characters")
    return dict(labels)


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {message}.", field=where)
