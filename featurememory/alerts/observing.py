"""What a rule's signal says now: a judgement of each label set that it knows of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import NamedTuple

from featurememory.alerts import traffic_signals
from featurememory.alerts.labels import Labels, all_fit
from featurememory.alerts.lines import BoundOf, Line
from featurememory.alerts.rules import (
    BURN_WINDOWS,
    Absence,
    Against,
    BurnRate,
    Change,
    Event,
    Rule,
    Threshold,
    burn_rate,
)
from featurememory.alerts.signals import SIGNALS
from featurememory.observability.rollups import DAY, HOUR, MINUTE
from featurememory.observability.span import Span

_LONG_S = 6 * HOUR
"""Windows from this on are read by the hour."""
_BACK_S = {Against.DAY: DAY, Against.WEEK: 7 * DAY}
_KNOWN_FOR_S = DAY
"""What was there within it can be absent."""


Key = tuple[tuple[str, str], ...]


class Observation(NamedTuple):
    """Of one label set. `value` is None where there is no telling; `is_met` is None where that depends on whether it
    fires already."""

    labels: Labels
    value: float | None
    is_met: bool | None = None
    before: float | None = None

    def holds(self, rule: Rule, *, is_firing: bool) -> bool | None:
        """Whether the condition is met; None where there is no telling."""
        if self.is_met is not None or self.value is None:
            return self.is_met
        match rule.condition:
            case Threshold() as condition:
                return condition.is_met(self.value, is_firing=is_firing)
            case Change() as condition if self.before is not None:
                return condition.is_met(self.value, self.before, is_firing=is_firing)
            case _:
                return None


def observe(rule: Rule, now: datetime) -> list[Observation]:
    """Of all label sets that the rule is about."""
    match rule.condition:
        case Threshold() as condition:
            lowest = condition.lowest
            bound_of = (lambda _: lowest) if condition.operator == "above" else None
            found = _figures(rule.signal, last(now, condition.window_s), condition.minimum_calls, bound_of)
            observed = [Observation(labels, value) for labels, value in found]
        case Change() as condition:
            observed = list(_changes(rule.signal, condition, now))
        case Absence() as condition:
            observed = list(_absences(rule.signal, condition, now))
        case BurnRate() as condition:
            observed = list(_burning(condition, now))
        case Event() as condition:
            found = _figures(rule.signal, last(now, condition.within_s))
            observed = [
                Observation(labels, value, (value or 0) >= condition.times) for labels, value in found
            ]
    if not rule.matchers:
        return observed
    return [each for each in observed if all_fit(rule.matchers, each.labels)]


def last(now: datetime, window_s: float) -> Span:
    """The window that ends now, as one step. Long ones are whole hours: what an hour says costs as much as what a
    minute says."""
    unit = HOUR if window_s >= _LONG_S else MINUTE
    length = max(unit, round(window_s / unit) * unit)
    end = (math.floor(now.timestamp()) // unit + 1) * unit
    return _one_step(end - length, end)


def _one_step(start: int, end: int) -> Span:
    return Span(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), end - start)


def _figures(
    name: str, span: Span, minimum_calls: int = 1, bound_of: BoundOf | None = None
) -> Iterable[tuple[Labels, float | None]]:
    """Of what lies below its bound, where there is one, something that does, too."""
    signal = SIGNALS[name]
    lines = signal.above(span, bound_of) if signal.above and bound_of else signal.read(span)
    for line in lines:
        is_enough = not line.calls or line.calls[0] >= minimum_calls
        yield line.labels, line.values[0] if is_enough else None


def _changes(signal: str, condition: Change, now: datetime) -> Iterable[Observation]:
    window = last(now, condition.window_s)
    earlier = _earlier(signal, window, condition.against)

    def bound_of(labels: Labels) -> float:
        before = earlier.get(key_of(labels))
        return math.inf if before is None else max(condition.minimum, before * (1 + condition.percent / 100))

    is_above = condition.operator == "above"
    for labels, value in _figures(signal, window, condition.minimum_calls, bound_of if is_above else None):
        before = earlier.get(key_of(labels))
        if before is None or value is None:
            yield Observation(labels, None)
        else:
            yield Observation(labels, value, None, before)


def _earlier(signal: str, window: Span, against: Against) -> Mapping[Key, float]:
    """The figure that the window is held against: of the window before it, or of the last day or week; these are
    whole hours, and remembered for as long as they are the last."""
    begin = int(window.start.timestamp())
    if against is Against.BEFORE:
        return _by_labels(SIGNALS[signal].read(_one_step(begin - window.step_s, begin)))
    end = begin // HOUR * HOUR
    return figures_long_ago(signal, end - _BACK_S[against], end)


@lru_cache(8)
def figures_long_ago(signal: str, start: int, end: int) -> Mapping[Key, float]:
    return _by_labels(SIGNALS[signal].read(_one_step(start, end)))


def key_of(labels: Labels) -> Key:
    return tuple(sorted(labels.items()))


def _by_labels(lines: Iterable[Line]) -> dict[Key, float]:
    return {key_of(line.labels): line.values[0] for line in lines if line.values[0] is not None}


def _absences(signal: str, condition: Absence, now: datetime) -> Iterable[Observation]:
    """Of what was there within the last day, whether it still is."""
    there = _by_labels(SIGNALS[signal].read(last(now, condition.window_s)))
    known = SIGNALS[signal].read(last(now, max(_KNOWN_FOR_S, 2 * condition.window_s)))
    for line in known:
        if line.values[0] is not None:
            value = there.get(key_of(line.labels))
            yield Observation(line.labels, value or 0.0, value is None)


def _burning(condition: BurnRate, now: datetime) -> Iterable[Observation]:
    """Of each pair of windows the one that is cheaper to read comes first, and of the other only what burns there.
    Where no call ran to an end there is no telling."""
    names = traffic_signals.names_of_series()
    read = cache(lambda window_s: _burns(condition, window_s, now))
    worst: dict[int, float | None] = {}
    met: set[int] = set()
    for window in BURN_WINDOWS:
        first, second = sorted((window.long_s, window.short_s), key=_rows_of)
        rates = read(first)
        burning = {id for id, rate in rates.items() if rate is not None and rate >= window.factor}
        others = _burns(condition, second, now, burning) if burning else {}
        for id, rate in rates.items():
            both = min(rate, others.get(id) or 0.0) if rate is not None else None
            if both is not None and both >= window.factor:
                met.add(id)
            worst[id] = max((each for each in (worst.get(id), both) if each is not None), default=None)
    for id, rate in worst.items():
        if id in names:
            yield Observation(names[id], rate, None if rate is None else id in met)


def _rows_of(window_s: float) -> float:
    """That a series has in a window."""
    return window_s / (HOUR if window_s >= _LONG_S else MINUTE)


def _burns(
    condition: BurnRate, window_s: float, now: datetime, series: set[int] | None = None
) -> dict[int, float | None]:
    """How fast each series uses up its error budget in the window; what failed too seldom does not."""
    found: dict[int, float | None] = {}
    for id, calls in traffic_signals.read_calls(last(now, window_s), series).items():
        failed, judged = calls.failed[0], calls.judged(0)
        if not judged:
            found[id] = None
        else:
            found[id] = burn_rate(failed, judged, condition.objective) if failed >= condition.minimum else 0.0
    return found
