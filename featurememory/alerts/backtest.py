"""A rule tried on what was: when it would have fired, had it been there.

The past is looked at in steps as long as the rule's window, not every few seconds: what is shorter than a step may be
missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from featurememory.alerts import traffic_signals
from featurememory.alerts.labels import Labels, all_fit
from featurememory.alerts.lifecycle import Happened, Life, Timing, found_of, step
from featurememory.alerts.lines import Line
from featurememory.alerts.observing import Observation, key_of
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

DRAWN: Final = 5
"""Label sets whose figures are shown, those that would have fired first."""
_MOST_STEPS: Final = 2_100
"""A week by five minutes."""
_LEAST_STEP_S: Final = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Firing:
    labels: Labels
    began: datetime
    ended: datetime | None
    """None where it would still fire."""
    peak: float | None


@dataclass(frozen=True, slots=True)
class BacktestSeries:
    labels: Labels
    points: Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule would have done."""

    days: float
    firings: Sequence[Firing]
    series: Sequence[BacktestSeries]
    threshold: float | None
    unit: str
    words: str


def backtest(rule: Rule, now: datetime, days: float = 7) -> Backtest:
    """Over the last `days`."""
    signal = SIGNALS[rule.signal]
    if not signal.has_past:
        words = f"“{signal.title}” is known only as it is now: there is no history to try it on."
        return Backtest(days, (), (), rule.threshold, signal.unit, words)
    span = _span(rule, now, days)
    tried = sorted(
        (
            (each, list(_firings(rule, span, each, now)))
            for each in _judged(rule, span)
            if all_fit(rule.matchers, each.labels)
        ),
        key=lambda pair: (-len(pair[1]), key_of(pair[0].labels)),
    )
    firings = sorted(
        (firing for _, found in tried for firing in found), key=lambda each: each.began, reverse=True
    )
    moments = list(span)
    series = [
        BacktestSeries(each.labels, list(zip(moments, each.values, strict=True))) for each, _ in tried[:DRAWN]
    ]
    unit = "times too fast" if rule.condition.kind == BurnRate.kind else signal.unit
    return Backtest(days, firings, series, _drawn_threshold(rule), unit, _words(firings, days, len(tried)))


def _words(firings: Sequence[Firing], days: float, label_sets: int) -> str:
    past = "the last day" if days == 1 else f"the last {days:g} days"
    if not label_sets:
        return f"There was nothing to judge by in {past}."
    if not firings:
        return f"It would not have fired in {past}."
    times = "once" if len(firings) == 1 else f"{len(firings)} times"
    still = sum(1 for each in firings if each.ended is None)
    now = (
        f", {'and would' if still == len(firings) else f'{still} of which would'} be firing now"
        if still
        else ""
    )
    return f"It would have fired {times} in {past}{now}."


def _drawn_threshold(rule: Rule) -> float | None:
    return BURN_WINDOWS[0].factor if isinstance(rule.condition, BurnRate) else rule.threshold


def _span(rule: Rule, now: datetime, days: float) -> Span:
    match rule.condition:
        case Threshold(window_s=window) | Change(window_s=window) | Absence(window_s=window):
            wanted = window
        case Event(within_s=within):
            wanted = within
        case BurnRate():
            wanted = _LEAST_STEP_S
    least = max(_LEAST_STEP_S, days * DAY / _MOST_STEPS)
    unit = HOUR if max(wanted, least) >= HOUR else MINUTE
    length = max(1, round(max(wanted, least) / unit)) * unit
    end = (int(now.timestamp()) // length + 1) * length
    start = int(end - days * DAY) // length * length
    return Span(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), length)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A label set's figures, and what the rule says of each."""

    labels: Labels
    values: Sequence[float | None]
    observe: Callable[[int], Observation]


def _judged(rule: Rule, span: Span) -> Iterator[_Judged]:
    match rule.condition:
        case BurnRate() as condition:
            yield from _burning(condition, span)
        case Change() as condition:
            yield from _changing(rule, condition, span)
        case Absence():
            for line in SIGNALS[rule.signal].read(span):
                yield _judged_by(line, lambda line, at: (line.values[at] or 0.0, line.values[at] is None))
        case Event(times=times):
            for line in SIGNALS[rule.signal].read(span):
                yield _judged_by(line, lambda line, at: (line.values[at], (line.values[at] or 0) >= times))
        case Threshold(minimum_calls=least):
            for line in SIGNALS[rule.signal].read(span):
                values = _enough(line, least)
                yield _Judged(line.labels, values, _observing(line.labels, values))


def _judged_by(line: Line, judge: Callable[[Line, int], tuple[float | None, bool | None]]) -> _Judged:
    def observe(at: int) -> Observation:
        value, is_met = judge(line, at)
        return Observation(line.labels, value, is_met)

    return _Judged(line.labels, line.values, observe)


def _observing(
    labels: Labels, values: Sequence[float | None], before: Sequence[float | None] = ()
) -> Callable[[int], Observation]:
    return lambda at: Observation(labels, values[at], None, before[at] if before else None)


def _enough(line: Line, least: int) -> list[float | None]:
    if not line.calls:
        return list(line.values)
    return [value if calls >= least else None for value, calls in zip(line.values, line.calls, strict=True)]


def _changing(rule: Rule, condition: Change, span: Span) -> Iterator[_Judged]:
    back = {Against.BEFORE: span.step_s, Against.DAY: DAY, Against.WEEK: 7 * DAY}[condition.against]
    earlier = _earlier(rule, span, back)
    for line in SIGNALS[rule.signal].read(span):
        values = _enough(line, condition.minimum_calls)
        before = earlier(key_of(line.labels))
        yield _Judged(line.labels, values, _observing(line.labels, values, before))


def _earlier(
    rule: Rule, span: Span, back: int
) -> Callable[[tuple[tuple[str, str], ...]], Sequence[float | None]]:
    """By labels, what each step is held against: the figure of the step, or of the whole days, before it."""
    begin = int(span.start.timestamp())
    if back <= span.step_s:
        shifted = Span(
            datetime.fromtimestamp(begin - back, UTC), span.end - timedelta(seconds=back), span.step_s
        )
        lines = {key_of(line.labels): line.values for line in SIGNALS[rule.signal].read(shifted)}
        return lambda key: lines.get(key, (None,) * len(span))
    first = (begin - back) // HOUR * HOUR
    days: list[Mapping[tuple[tuple[str, str], ...], float | None]] = []
    starts = range(first, int(span.end.timestamp()) - back + 1, DAY)
    for start in starts:
        whole = Span(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(start + back, UTC), back)
        days.append({key_of(line.labels): line.values[0] for line in SIGNALS[rule.signal].read(whole)})

    def before(key: tuple[tuple[str, str], ...]) -> Sequence[float | None]:
        places = ((int(moment.timestamp()) - back - first) // DAY for moment in span)
        return [days[min(place, len(days) - 1)].get(key) for place in places]

    return before


def _burning(condition: BurnRate, span: Span) -> Iterator[_Judged]:
    """By running sums over the steps, a day's hours before them not counted."""
    names = traffic_signals.names_of_series()
    for id, calls in traffic_signals.read_calls(span).items():
        if id not in names:
            continue
        failed = _sums(calls.failed)
        judged = _sums([calls.judged(at) for at in range(len(span))])
        values = [_burn(condition, span, failed, judged, at) for at in range(len(span))]
        line = Line(names[id], [each and each[0] for each in values])
        met = [each and each[1] for each in values]
        yield _judged_by(line, lambda line, at, met=met: (line.values[at], met[at]))  # type: ignore[misc]


def _sums(counts: Sequence[int]) -> list[int]:
    sums = [0]
    for count in counts:
        sums.append(sums[-1] + count)
    return sums


def _burn(
    condition: BurnRate, span: Span, failed: Sequence[int], judged: Sequence[int], at: int
) -> tuple[float, bool] | None:
    """How fast it burns at most, and whether that is too fast; None where no call ran to an end."""
    found: list[tuple[float, bool]] = []
    for window in BURN_WINDOWS:
        rates = []
        for length in (window.long_s, window.short_s):
            first = max(0, at + 1 - max(1, round(length / span.step_s)))
            bad, all = failed[at + 1] - failed[first], judged[at + 1] - judged[first]
            if not all:
                break
            rates.append(burn_rate(bad, all, condition.objective) if bad >= condition.minimum else 0.0)
        else:
            found.append((min(rates), min(rates) >= window.factor))
    if not found:
        return None
    return max(rate for rate, _ in found), any(met for _, met in found)


def _firings(rule: Rule, span: Span, judged: _Judged, until: datetime) -> Iterator[Firing]:
    """By the same life as every alert's. The last step has not ended: it is judged as of `until`."""
    timing = Timing(rule.for_s, rule.keep_firing_for_s, rule.no_data)
    life: Life | None = None
    peak: float | None = None
    for at, begin in enumerate(span):
        now = min(begin + timedelta(seconds=span.step_s), until)
        observation = judged.observe(at)
        holds = observation.holds(rule, is_firing=life is not None and life.fired_at is not None)
        life, happened = step(
            life, found_of(holds), rule.severity, timing, now, "" if life is None else life.looks
        )
        if holds and observation.value is not None:
            peak = observation.value if peak is None else max(peak, observation.value)
        if life is None:
            peak = None
        elif Happened.RESOLVED in happened:
            yield Firing(judged.labels, life.fired_at or life.started_at, now, peak)
            life, peak = None, None
    if life is not None and life.fired_at is not None:
        yield Firing(judged.labels, life.fired_at, None, peak)
