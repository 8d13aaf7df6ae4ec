"""When a silence is in force: from one moment to another, or in a window that comes again within them. Plain.

A window begins at its time of day as clocks show it in its zone, also where clocks are changed: one that begins in
the hour that a change leaves out begins when that hour would have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from featurememory.alerts.labels import Labels, Matchers, all_fit
from featurememory.errors import ConfigurationError

LONGEST: Final = timedelta(days=366)
LONGEST_WINDOW: Final = timedelta(days=1)
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Stage(NamedTuple):
    """`until`: when that ends by itself; None once it is over for good."""

    is_active: bool
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """On these days (0 is Monday) from `start` on for so many minutes."""

    weekdays: frozenset[int]
    hour: int
    minute: int
    lasts: timedelta
    timezone: str

    @classmethod
    def of(cls, given: Mapping[str, Any], where: str = "recurrence") -> Recurrence:
        """From `{weekdays, start, minutes, timezone}`; ConfigurationError names what is wrong with it."""
        if not isinstance(given, Mapping):
            raise _wrong(where, "must be an object with weekdays, start, minutes and timezone")
        days, minutes = given.get("weekdays"), given.get("minutes")
        if (
            not isinstance(days, (list, tuple))
            or not days
            or not all(type(day) is int and 0 <= day <= 6 for day in days)
        ):
            raise _wrong(f"{where}.weekdays", "must be days of the week, 0 (Monday) to 6 (Sunday)")
        start = _TIME.fullmatch(str(given.get("start", "")))
        if start is None:
            raise _wrong(f"{where}.start", "must be a time of day like 22:30")
        longest = int(LONGEST_WINDOW.total_seconds()) // 60
        if type(minutes) is not int or not 1 <= minutes <= longest:
            raise _wrong(f"{where}.minutes", f"must be 1 to {longest}")
        zone = given.get("timezone", "UTC")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise _wrong(f"{where}.timezone", "must be a time zone like Europe/Berlin or UTC") from None
        return cls(frozenset(days), int(start[1]), int(start[2]), timedelta(minutes=minutes), zone)

    def as_json(self) -> dict[str, Any]:
        return {
            "weekdays": sorted(self.weekdays),
            "start": f"{self.hour:02}:{self.minute:02}",
            "minutes": int(self.lasts.total_seconds()) // 60,
            "timezone": self.timezone,
        }

    def begins_on(self, day: date) -> datetime | None:
        """In UTC; None on other days of the week."""
        if day.weekday() not in self.weekdays:
            return None
        local = datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=ZoneInfo(self.timezone))
        return local.astimezone(UTC)

    def stage(self, now: datetime) -> Stage:
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        windows = [
            begin
            for offset in range(-2, 9)
            if (begin := self.begins_on(today + timedelta(days=offset))) is not None
        ]
        ends = [begin + self.lasts for begin in windows if begin <= now < begin + self.lasts]
        if ends:
            return Stage(True, max(ends))
        return Stage(False, min(begin for begin in windows if begin > now))


@dataclass(frozen=True, slots=True)
class Silence:
    """What it keeps quiet, and when."""

    id: int
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    recurrence: Recurrence | None = None

    def stage(self, now: datetime) -> Stage:
        if now >= self.ends_at:
            return Stage(False, None)
        if now < self.starts_at:
            return Stage(False, self.starts_at)
        if self.recurrence is None:
            return Stage(True, self.ends_at)
        is_active, until = self.recurrence.stage(now)
        if until is None or until >= self.ends_at:
            return Stage(is_active, self.ends_at if is_active else None)
        return Stage(is_active, until)

    def covers(self, labels: Labels) -> bool:
        """If it is in force. `labels` have alertname and severity among them."""
        return all_fit(self.matchers, labels)


def check_span(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """ConfigurationError unless it has an end, and one that somebody will live to see."""
    if ends_at <= starts_at:
        raise _wrong("ends_at", "must lie behind starts_at")
    if ends_at <= now:
        raise _wrong("ends_at", "is over already")
    if ends_at - starts_at > LONGEST:
        raise _wrong("ends_at", f"must lie within {LONGEST.days} days of starts_at")


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {message}.", field=where)
