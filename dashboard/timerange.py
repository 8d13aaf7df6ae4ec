"""The time range that a page's address names: relative to now, or from one moment to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from featurememory.observability.span import Span

PRESETS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=366),
}
PRESET_WORDS = {
    "15m": "15 m",
    "1h": "1 h",
    "6h": "6 h",
    "24h": "24 h",
    "7d": "7 d",
    "30d": "30 d",
    "1y": "1 y",
}
PRESET_PHRASES = {
    "15m": "the last 15 minutes",
    "1h": "the last hour",
    "6h": "the last 6 hours",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
    "1y": "the last year",
}
DEFAULT = "1h"
LONGEST = timedelta(days=732)
MAX_POINTS = 180
HOUR_S, DAY_S = 3_600, 86_400
STEPS_S = (
    60,
    120,
    300,
    600,
    900,
    1_800,
    HOUR_S,
    7_200,
    14_400,
    21_600,
    43_200,
    DAY_S,
    2 * DAY_S,
    3 * DAY_S,
    5 * DAY_S,
)
NAMES = ("range", "from", "to")
"""Of what an address says about the range."""


class Kept(NamedTuple):
    """For how long what steps are made of is kept."""

    minutes: timedelta = timedelta(days=31)
    hours: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`preset` is empty for an absolute range; `problem` says in words what was wrong with the address."""

    span: Span
    preset: str
    problem: str = ""

    @property
    def query(self) -> str:
        """What a link needs to show this range again."""
        return urlencode({"range": self.preset}) if self.preset else self.frozen_query

    @property
    def frozen_query(self) -> str:
        """The same range, nailed to the moments it covers now."""
        return urlencode({"from": _short_iso(self.span.start), "to": _short_iso(self.span.end)})

    @property
    def refresh_s(self) -> int:
        """How often an open page asks again: a long range costs more and changes less."""
        return max(30, self.span.step_s // 12)

    @property
    def fields(self) -> dict[str, str]:
        """What a form needs to show this range again, by the fields' names."""
        return {"range": self.preset} if self.preset else self.moments

    @property
    def moments(self) -> dict[str, str]:
        """From and to, as a browser's own field for a moment has them; in UTC, whatever the server's time zone is."""
        return {"from": f"{self.span.start:%Y-%m-%dT%H:%M}", "to": f"{self.span.end:%Y-%m-%dT%H:%M}"}

    @property
    def length(self) -> timedelta:
        return self.span.end - self.span.start

    def moved(self, shares: float) -> str:
        """The query of as long a range, so many of its lengths later."""
        return self._between(self.span.start + self.length * shares, self.span.end + self.length * shares)

    @property
    def wider(self) -> str:
        """The query of a range three times as long around this one."""
        return self._between(self.span.start - self.length, self.span.end + self.length)

    def _between(self, start: datetime, end: datetime) -> str:
        return urlencode({"from": _short_iso(start), "to": _short_iso(end)})

    def earlier(self, by: timedelta) -> Span:
        """The same span so much earlier."""
        return replace(self.span, start=self.span.start - by, end=self.span.end - by)

    @property
    def phrase(self) -> str:
        """As a part of a sentence."""
        if self.preset:
            return PRESET_PHRASES[self.preset]
        end = f"{self.span.end:%H:%M}" if self._is_one_day else f"{self.span.end:%Y-%m-%d %H:%M}"
        return f"{self.span.start:%Y-%m-%d %H:%M} to {end} UTC"

    @property
    def _is_one_day(self) -> bool:
        return self.span.start.date() == self.span.end.date()

    @property
    def step_phrase(self) -> str:
        """How long one point lasts."""
        minutes = self.span.step_s // 60
        if minutes < 60:
            return "minute" if minutes == 1 else f"{minutes} minutes"
        hours = minutes // 60
        if hours < 24:
            return "hour" if hours == 1 else f"{hours} hours"
        return "day" if hours == 24 else f"{hours // 24} days"


def read_time_range(query: Mapping[str, str], now: datetime, kept: Kept | None = None) -> TimeRange:
    """What `?range=1h` or `?from=...&to=...` means at `now`. A range that begins so long ago that its minutes, or its
    hours, are not kept any more has longer steps.

    Moments are ISO 8601; without an offset they are UTC. What cannot be understood gives the default range and
    a `problem`, never an error page.
    """
    if "from" in query or "to" in query:
        try:
            span = _absolute(query.get("from", ""), query.get("to", ""), now, kept or Kept())
            return TimeRange(span, "")
        except ValueError as wrong:
            return TimeRange(_relative(DEFAULT, now), DEFAULT, str(wrong))
    preset = query.get("range", DEFAULT)
    if preset not in PRESETS:
        return TimeRange(
            _relative(DEFAULT, now), DEFAULT, f"“{preset}” is no range; choose one of {', '.join(PRESETS)}."
        )
    return TimeRange(_relative(preset, now), preset)


def _relative(preset: str, now: datetime) -> Span:
    step = _step_for(PRESETS[preset])
    end = Span.covering(now, now + timedelta(seconds=1), step).end
    return Span(end - PRESETS[preset], end, step)


def _absolute(start_text: str, end_text: str, now: datetime, kept: Kept) -> Span:
    start = _moment(start_text, "from")
    end = _moment(end_text, "to") if end_text else now
    if end <= start:
        raise ValueError("The range ends before it begins; “to” must be later than “from”.")
    if end - start > LONGEST:
        raise ValueError(f"The range is longer than {LONGEST.days} days; choose a shorter one.")
    step = _step_for(end - start)
    if start < now - kept.minutes:
        step = max(step, HOUR_S)
    return Span.covering(start, end, step if start >= now - kept.hours else max(step, DAY_S))


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"“{name}” cannot be read: write it like 2026-11-23T14:05 or 2026-11-23T14:05Z."
        ) from None


def _step_for(length: timedelta) -> int:
    """The smallest step that needs at most MAX_POINTS points."""
    return next(step for step in STEPS_S if length.total_seconds() <= step * MAX_POINTS)


def _short_iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
