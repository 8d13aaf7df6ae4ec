"""The time range that a page's address names: relative to now, or from one moment to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from featurememory.observability.span import Span

PRESETS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
PRESET_WORDS = {"15m": "15 m", "1h": "1 h", "6h": "6 h", "24h": "24 h", "7d": "7 d"}
PRESET_PHRASES = {
    "15m": "the last 15 minutes",
    "1h": "the last hour",
    "6h": "the last 6 hours",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
}
DEFAULT = "1h"
LONGEST = timedelta(days=31)
MAX_POINTS = 200
STEPS_S = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


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
    def phrase(self) -> str:
        """As a part of a sentence."""
        if self.preset:
            return PRESET_PHRASES[self.preset]
        return f"{self.span.start:%Y-%m-%d %H:%M} to {self.span.end:%Y-%m-%d %H:%M} UTC"

    @property
    def step_phrase(self) -> str:
        """How long one point lasts."""
        minutes = self.span.step_s // 60
        if minutes < 60:
            return "1 minute" if minutes == 1 else f"{minutes} minutes"
        hours = minutes // 60
        return "1 hour" if hours == 1 else f"{hours} hours"


def read_time_range(query: Mapping[str, str], now: datetime) -> TimeRange:
    """What `?range=1h` or `?from=...&to=...` means at `now`.

    Moments are ISO 8601; without an offset they are UTC. What cannot be understood gives the default range and
    a `problem`, never an error page.
    """
    if "from" in query or "to" in query:
        try:
            return TimeRange(_absolute(query.get("from", ""), query.get("to", ""), now), "")
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


def _absolute(start_text: str, end_text: str, now: datetime) -> Span:
    start = _moment(start_text, "from")
    end = _moment(end_text, "to") if end_text else now
    if end <= start:
        raise ValueError("The range ends before it begins; “to” must be later than “from”.")
    if end - start > LONGEST:
        raise ValueError(f"The range is longer than {LONGEST.days} days; choose a shorter one.")
    return Span.covering(start, end, _step_for(end - start))


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
