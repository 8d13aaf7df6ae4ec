"""What fires now, in words: the first thing on the overview, and all of it at 3 a.m. on a phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery
from django.urls import reverse

from dashboard.health import HealthView, read_health
from dashboard.words import BREAKER_STATES, Look, listed, plural
from featurememory.models import Breaker, BreakerEvent

SHOWN = 20
_BADNESS = {"bad": 0, "warn": 1, "off": 2, "ok": 3}
_REFUSING = ("open", "forced_open")


@dataclass(frozen=True, slots=True)
class Firing:
    """One thing that is not as it should be."""

    key: str
    title: str
    look: Look
    text: str
    since: datetime | None
    url: str
    reset_url: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The headline with its tone, and what it is made of; worst first."""

    tone: str
    icon: str
    headline: str
    firing: tuple[Firing, ...]
    more: int
    health: HealthView
    breakers: dict[str, int]

    @property
    def serious(self) -> int:
        """How many things fire; what the page's title counts."""
        return len(self.firing) + self.more


def read_status(now: datetime) -> Status:
    """Four queries at most."""
    health = read_health(now)
    counts = dict(Breaker.objects.order_by().values_list("state").annotate(Count("pk")))
    troubled = sum(number for state, number in counts.items() if state != Breaker.State.CLOSED)
    breakers = _not_closed() if troubled else []
    components = [
        Firing(
            f"component-{each.name.replace(' ', '-')}",
            each.name.capitalize(),
            each.look,
            each.reason,
            each.since,
            f"{reverse('health')}#component-{each.name.replace(' ', '-')}",
        )
        for each in health.components
        if not each.is_well and each.name != "breakers" and not health.stale
    ]
    firing = sorted([*breakers, *components], key=lambda each: _BADNESS[each.look.tone])
    tone = (
        "off"
        if health.stale and not firing
        else min((each.look.tone for each in firing), key=_BADNESS.__getitem__, default="ok")
    )
    return Status(
        tone=tone,
        icon={"ok": "check", "warn": "warning", "bad": "stop", "off": "unknown"}[tone],
        headline=_headline(counts, components, health),
        firing=tuple(firing),
        more=troubled - len(breakers),
        health=health,
        breakers=counts,
    )


def _not_closed() -> list[Firing]:
    rows = list(Breaker.objects.exclude(state=Breaker.State.CLOSED).order_by("changed_at")[:SHOWN])
    newest = _newest_events([row.pk for row in rows])
    return [
        Firing(
            f"breaker-{row.pk}",
            row.name,
            BREAKER_STATES[row.state],
            why(newest[row.pk]) if row.pk in newest else "",
            row.changed_at,
            reverse("breaker", args=[row.name]),
            reverse("breaker-reset", args=[row.name]),
        )
        for row in rows
    ]


def _newest_events(breakers: list[int]) -> dict[int, BreakerEvent]:
    """The latest event of each of the breakers, looked up one by one within a single query."""
    newest = BreakerEvent.objects.filter(breaker=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    sequences = Breaker.objects.filter(pk__in=breakers).order_by().values_list(Subquery(newest))
    events = BreakerEvent.objects.filter(sequence__in=sequences)
    return {event.breaker_id: event for event in events if event.breaker_id is not None}


def why(event: BreakerEvent) -> str:
    """What an event says about its cause, and who did it when somebody did."""
    if event.actor:
        return f"By {event.actor}: “{event.reason}”"
    return event.message[:1].upper() + event.message[1:]


def _headline(counts: dict[str, int], components: list[Firing], health: HealthView) -> str:
    parts = []
    refusing = sum(counts.get(state, 0) for state in _REFUSING)
    if refusing:
        parts.append(plural(refusing, "breaker refuses calls", "breakers refuse calls"))
    if probing := counts.get("half_open", 0):
        parts.append(plural(probing, "breaker is probing", "breakers are probing"))
    if disabled := counts.get("disabled", 0):
        parts.append(plural(disabled, "breaker is disabled", "breakers are disabled"))
    for tone, word in (("bad", "unhealthy"), ("warn", "degraded")):
        if names := [each.title.lower() for each in components if each.look.tone == tone]:
            parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word}")
    if health.stale:
        parts.append("health is unknown")
    if not parts:
        closed = counts.get("closed", 0)
        breakers = f"{plural(closed, 'breaker')} closed" if closed else "no breaker yet"
        return f"Nothing fires: {breakers}, {plural(len(health.components), 'component')} healthy"
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:]
