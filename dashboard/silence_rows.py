"""Silences as the list shows them: in force, coming, over; and what each covers now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.silence_forms import WEEKDAYS
from dashboard.words import listed
from featurememory.alerts.labels import Matcher
from featurememory.alerts.silences import Recurrence, Silence, Stage
from featurememory.alerts.silencing import covered, open_alerts, silence_of
from featurememory.models import Alert, AlertSilence

OVER_SHOWN = 30


@dataclass(frozen=True, slots=True)
class SilenceRow:
    row: AlertSilence
    silence: Silence
    stage: Stage
    covers: tuple[Alert, ...]
    """The open alerts that it fits, whether it is in force or not."""

    @property
    def matchers(self) -> Sequence[Matcher]:
        return self.silence.matchers

    @property
    def window(self) -> str:
        return window_in_words(self.silence.recurrence) if self.silence.recurrence else ""


EXPORTED: Columns[SilenceRow] = {
    "id": lambda row: row.row.pk,
    "matchers": lambda row: " ".join(map(str, row.matchers)),
    "is_in_force": lambda row: row.stage.is_active,
    "starts_at": lambda row: row.row.starts_at,
    "ends_at": lambda row: row.row.ends_at,
    "window": lambda row: row.window,
    "open_alerts_covered": lambda row: len(row.covers),
    "comment": lambda row: row.row.comment,
    "created_by": lambda row: row.row.created_by,
    "created_at": lambda row: row.row.created_at,
    "ended_by": lambda row: row.row.ended_by,
}


@dataclass(frozen=True, slots=True)
class Silences:
    in_force: tuple[SilenceRow, ...]
    coming: tuple[SilenceRow, ...]
    """Also those between two of their windows."""
    over: tuple[SilenceRow, ...]

    @property
    def any(self) -> bool:
        return bool(self.in_force or self.coming or self.over)


def read_silences(now: datetime) -> Silences:
    """Three queries, however many silences there are."""
    alerts = list(open_alerts())
    rows = [
        _row(each, alerts, now)
        for each in AlertSilence.objects.filter(ends_at__gt=now).order_by("ends_at", "pk")
    ]
    over = AlertSilence.objects.filter(ends_at__lte=now).order_by("-ends_at", "-pk")[:OVER_SHOWN]
    return Silences(
        tuple(each for each in rows if each.stage.is_active),
        tuple(each for each in rows if not each.stage.is_active),
        tuple(_row(each, [], now) for each in over),
    )


def exported(now: datetime) -> Iterator[SilenceRow]:
    """Those that end last first; two queries."""
    alerts = list(open_alerts())
    for each in AlertSilence.objects.order_by("-ends_at", "-pk")[:MOST_ROWS].iterator(AT_ONCE):
        yield _row(each, alerts if each.ends_at > now else [], now)


def _row(row: AlertSilence, alerts: Sequence[Alert], now: datetime) -> SilenceRow:
    silence = silence_of(row)
    return SilenceRow(row, silence, silence.stage(now), tuple(covered(alerts, silence.matchers)))


def window_in_words(recurrence: Recurrence) -> str:
    """ "Monday and Friday from 22:30 for 90 min (Europe/Berlin)"."""
    days = sorted(recurrence.weekdays)
    named = "Every day" if len(days) == 7 else listed([WEEKDAYS[day] for day in days], most=6)
    minutes = int(recurrence.lasts.total_seconds()) // 60
    return (
        f"{named} from {recurrence.hour:02}:{recurrence.minute:02} for {minutes} min ({recurrence.timezone})"
    )
