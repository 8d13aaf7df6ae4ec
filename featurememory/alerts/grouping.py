"""Which alerts are told together, and what is to be told of a group now, as Alertmanager does it. Plain.

A group is told of its first alerts once `wait` is over since the first fired, of what is new, worse or over at
most every `interval`, and again every `repeat` while something fires that nobody has acknowledged. What is muted is
told once it no longer is. Who was told that something fires is told that it is over. Something that flaps is told to
be flapping, and then of no change until it has been over for `CALM`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from featurememory.alerts.labels import Labels, Matchers, all_fit

RANKS: Final = {"info": 0, "warning": 1, "critical": 2}
ESCALATES_FROM: Final = RANKS["warning"]
CALM: Final = timedelta(minutes=10)
"""What flapped is taken for over when it has been for so long."""


class Tell(StrEnum):
    FIRING = "firing"
    CHANGED = "changed"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert as whoever tells of it sees it."""

    id: int
    fingerprint: str
    state: str
    """`pending`, `firing`, `acknowledged` or `resolved`."""
    severity: str
    labels: Labels = field(default_factory=dict)
    """With alertname and severity among them."""
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    is_muted: bool = False
    is_flapping: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in ("firing", "acknowledged")

    @property
    def is_told(self) -> bool:
        """Whether a message about its group has it among what fires."""
        return self.is_open and not self.is_muted

    @property
    def wants_somebody(self) -> bool:
        """It fires, and nobody has said that they know."""
        return self.state == "firing" and not self.is_muted


@dataclass(frozen=True, slots=True)
class Told:
    """What was last told of one fingerprint: of which alert, how severe at worst, and when that was news."""

    id: int
    severity: str
    at: datetime
    is_flapping: bool = False
    is_escalated: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Told:
        return cls(**{**stored, "at": datetime.fromisoformat(stored["at"])})

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "severity": self.severity,
            "at": self.at.isoformat(),
            "is_flapping": self.is_flapping,
            "is_escalated": self.is_escalated,
        }


@dataclass(frozen=True, slots=True)
class Memory:
    """What a group has been told. Empty before the first and after the last."""

    told: Mapping[str, Told] = field(default_factory=dict)
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    wait: timedelta = timedelta(seconds=10)
    interval: timedelta = timedelta(seconds=60)
    repeat: timedelta | None = timedelta(hours=4)
    escalate_after: timedelta | None = None
    send_resolved: bool = True


@dataclass(frozen=True, slots=True)
class Telling:
    """One message to be sent. `events` name what is told with it: the same one is never told twice."""

    kind: Tell
    firing: tuple[int, ...]
    resolved: tuple[int, ...]
    events: tuple[str, ...]
    to_escalation: bool = False

    @property
    def key(self) -> str:
        return hashlib.sha256("\n".join(sorted(self.events)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go where."""

    id: int
    matchers: Matchers = ()
    severities: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    continues: bool = False

    def takes(self, alert: Seen) -> bool:
        return (not self.severities or alert.severity in self.severities) and all_fit(
            self.matchers, alert.labels
        )

    def group_of(self, alert: Seen) -> dict[str, str]:
        """The labels that its group has in common."""
        return {name: alert.labels.get(name, "") for name in self.group_by}


def key_of(labels: Labels) -> str:
    """32 hexadecimal digits that are the same for the same labels."""
    told = json.dumps(sorted(labels.items()), ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def routes_of(alert: Seen, routes: Iterable[Route]) -> Iterator[Route]:
    """Those that take it: the first that fits, and those behind it as long as they continue."""
    for route in routes:
        if route.takes(alert):
            yield route
            if not route.continues:
                return


def look_at_group(
    memory: Memory, alerts: Sequence[Seen], timing: Timing, now: datetime
) -> tuple[Memory, tuple[Telling, ...]]:
    """What is to be told of the group at `now`, and what has been told once it is."""
    newest = _newest(alerts)
    told = {name: each for name, each in memory.told.items() if name in newest}
    news = list(_news(told, newest.values())) if _may_speak(memory, newest.values(), timing, now) else []
    over = _over(told, newest, now) if news or _interval_is_over(memory, timing, now) else []
    tellings: list[Telling] = []
    told_at = memory.told_at
    firing = [each for each in newest.values() if each.is_told]
    if news or over:
        kept = {name: each for name, each in told.items() if newest[name] not in over}
        tellings += _changes(told, kept, news, over, firing, timing)
        told = _with(kept, firing, now) if news else kept
        told_at = now if news or (over and timing.send_resolved) else told_at
    elif _repeat_is_due(memory, told, newest, timing, now):
        tellings.append(_repeat(told, firing, now))
        told, told_at = _with(told, firing, now), now
    late = [each for each in firing if _is_late(told.get(each.fingerprint), each, timing, now)]
    if late:
        tellings.append(
            Telling(
                Tell.ESCALATION,
                _ids(late),
                (),
                tuple(f"{each.id}:escalation" for each in late),
                to_escalation=True,
            )
        )
        told |= {each.fingerprint: replace(told[each.fingerprint], is_escalated=True) for each in late}
    return Memory(told, told_at if told else None), tuple(tellings)


def _newest(alerts: Iterable[Seen]) -> dict[str, Seen]:
    """The last alert of each fingerprint that has fired."""
    ordered = sorted((each for each in alerts if each.state != "pending"), key=lambda each: each.id)
    return {each.fingerprint: each for each in ordered}


def _news(told: Mapping[str, Told], alerts: Iterable[Seen]) -> Iterator[tuple[Seen, str]]:
    """Alerts of which something is to be told, and what."""
    for alert in alerts:
        if not alert.is_told:
            continue
        known = told.get(alert.fingerprint)
        if known is not None and RANKS[alert.severity] > RANKS[known.severity]:
            yield alert, f"{alert.id}:{alert.severity}"
        elif known is not None and known.is_flapping and alert.is_flapping:
            continue
        elif known is None or known.id != alert.id:
            if alert.wants_somebody:
                yield alert, f"{alert.id}:firing"
        elif alert.is_flapping and not known.is_flapping:
            yield alert, f"{alert.id}:flapping"


def _over(told: Mapping[str, Told], newest: Mapping[str, Seen], now: datetime) -> list[Seen]:
    return [
        alert
        for name in told
        if (alert := newest[name]).state == "resolved"
        and not alert.is_muted
        and not (alert.is_flapping and alert.resolved_at is not None and now - alert.resolved_at < CALM)
    ]


def _may_speak(memory: Memory, alerts: Iterable[Seen], timing: Timing, now: datetime) -> bool:
    if memory.told:
        return _interval_is_over(memory, timing, now)
    fired = [each.fired_at or now for each in alerts if each.wants_somebody]
    return bool(fired) and now >= min(fired) + timing.wait


def _interval_is_over(memory: Memory, timing: Timing, now: datetime) -> bool:
    return memory.told_at is None or now >= memory.told_at + timing.interval


def _changes(
    told: Mapping[str, Told],
    kept: Mapping[str, Told],
    news: Sequence[tuple[Seen, str]],
    over: Sequence[Seen],
    firing: Sequence[Seen],
    timing: Timing,
) -> Iterator[Telling]:
    ended = over if timing.send_resolved else []
    events = tuple(event for _, event in news) + tuple(f"{each.id}:resolved" for each in ended)
    if events:
        kind = Tell.FIRING if news and not told else Tell.CHANGED if firing or kept else Tell.RESOLVED
        yield Telling(kind, _ids(firing), _ids(ended), events)
    gone = [told[each.fingerprint] for each in ended]
    gone += [told[each.fingerprint] for each in firing if _has_come_back(told.get(each.fingerprint), each)]
    escalated = tuple(each.id for each in gone if each.is_escalated)
    if escalated and timing.send_resolved:
        events = tuple(f"{each}:resolved" for each in escalated)
        yield Telling(Tell.RESOLVED, (), escalated, events, to_escalation=True)


def _has_come_back(told: Told | None, alert: Seen) -> bool:
    return told is not None and told.id != alert.id


def _with(told: Mapping[str, Told], firing: Iterable[Seen], now: datetime) -> dict[str, Told]:
    """What is known once a message said what fires."""
    known = dict(told)
    for alert in firing:
        before = known.get(alert.fingerprint)
        if before is None or _has_come_back(before, alert):
            known[alert.fingerprint] = Told(alert.id, alert.severity, now, alert.is_flapping)
        elif RANKS[alert.severity] > RANKS[before.severity]:
            flaps = before.is_flapping or alert.is_flapping
            known[alert.fingerprint] = replace(before, severity=alert.severity, at=now, is_flapping=flaps)
        else:
            known[alert.fingerprint] = replace(before, is_flapping=before.is_flapping or alert.is_flapping)
    return known


def _repeat_is_due(
    memory: Memory, told: Mapping[str, Told], newest: Mapping[str, Seen], timing: Timing, now: datetime
) -> bool:
    if timing.repeat is None or memory.told_at is None or now < memory.told_at + timing.repeat:
        return False
    return any(newest[name].wants_somebody for name in told)


def _repeat(told: Mapping[str, Told], firing: Sequence[Seen], now: datetime) -> Telling:
    events = tuple(f"{each.id}:repeat:{now.isoformat()}" for each in firing if each.fingerprint in told)
    return Telling(Tell.REPEAT, _ids(firing), (), events)


def _is_late(told: Told | None, alert: Seen, timing: Timing, now: datetime) -> bool:
    return (
        timing.escalate_after is not None
        and told is not None
        and told.id == alert.id
        and not told.is_escalated
        and alert.wants_somebody
        and RANKS[alert.severity] >= ESCALATES_FROM
        and now >= told.at + timing.escalate_after
    )


def _ids(alerts: Iterable[Seen]) -> tuple[int, ...]:
    return tuple(each.id for each in alerts)
