"""What an evaluation does to the alerts of one rule: they begin, live on, and lapse, and are written together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from featurememory.alerts.labels import fingerprint
from featurememory.alerts.lifecycle import Data, Found, Happened, Life, State, Timing, found_of, step
from featurememory.alerts.lines import STATES
from featurememory.alerts.observing import Key, Observation, key_of
from featurememory.alerts.rules import Kind, Rule
from featurememory.alerts.signals import SIGNALS
from featurememory.models import Alert, AlertEvent, AlertRule

EVERY = timedelta(seconds=15)
"""How often rules are evaluated."""
ROWS_TOGETHER = 500
_REMEMBERED_FOR = timedelta(hours=1)
"""Whoever fires again within it goes on with what was seen of it before: that is how flapping shows."""
_NOTED_EVERY = timedelta(minutes=5)
"""How often an alert says that it was looked at, where nothing else is new."""
_NEWS = 0.05
"""The share by which a value must have changed to be written before that."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one rule's evaluation found; `error` where it could not be evaluated."""

    row: AlertRule
    rule: Rule | None
    observed: Sequence[Observation]
    took_ms: float
    error: str = ""


def follow(look: Look, now: datetime) -> int:
    """Has the rule's alerts live on with what was found."""
    alerts = Alert.objects.filter(rule=look.row).exclude(state=Alert.State.RESOLVED)
    known = {_own_key(alert, look.row): alert for alert in alerts}
    changes = _Changes(look, now)
    if look.rule is None:
        for each in known.values():
            changes.of(each, Found.ERROR, None)
        return changes.write()
    seen = set()
    for observation in look.observed:
        key = key_of(observation.labels)
        seen.add(key)
        alert = known.get(key)
        is_firing = alert is not None and alert.is_open
        holds = observation.holds(look.rule, is_firing=is_firing)
        if alert is not None:
            changes.of(alert, found_of(holds), observation.value)
        elif holds or (holds is None and look.rule.no_data == "alert"):
            changes.begin(observation, found_of(holds))
    for key, silent in known.items():
        if key not in seen:
            changes.of(silent, _gone(look.rule), None)
    return changes.write()


def _gone(rule: Rule) -> Found:
    """Nothing was said of a label set: of what counts what happened, nothing has; what has states is there no more; of
    figures there is no telling."""
    is_known = rule.kind is Kind.EVENT or SIGNALS[rule.signal].kinds == STATES
    return Found.CLEAR if is_known else Found.NO_DATA


def _own_key(alert: Alert, row: AlertRule) -> Key:
    """The labels that the signal gave, without the rule's."""
    return key_of({name: value for name, value in alert.labels.items() if name not in row.labels})


class _Changes:
    """What one rule's evaluation does to its alerts, written together."""

    def __init__(self, look: Look, now: datetime) -> None:
        self._look = look
        self._now = now
        self._timing = Timing(look.row.for_s, look.row.keep_firing_for_s, look.row.no_data)
        self._made: list[Alert] = []
        self._moved: list[Alert] = []
        self._lapsed: list[int] = []
        self._told: list[tuple[Alert, Sequence[Happened]]] = []
        self._waiting: list[tuple[Observation, Found]] = []

    def begin(self, observation: Observation, found: Found) -> None:
        self._waiting.append((observation, found))

    def of(self, alert: Alert, found: Found, value: float | None) -> None:
        """Another look at an alert that is there."""
        life, happened = step(_life(alert), found, self._look.row.severity, self._timing, self._now)
        if life is None:
            self._lapsed.append(alert.pk)
            return
        if not happened and not _is_news(alert, life, value):
            return
        _live(alert, life)
        if Happened.REOPENED in happened:
            alert.acknowledged_at, alert.acknowledged_by = None, ""
        if value is not None and found is Found.ACTIVE:
            self._say(alert, alert.labels, value)
        self._moved.append(alert)
        self._told.append((alert, happened))

    def write(self) -> int:
        """How many began, moved to another state, or lapsed."""
        self._begin_all()
        Alert.objects.filter(pk__in=self._lapsed).delete()
        Alert.objects.bulk_create(self._made, batch_size=ROWS_TOGETHER)
        if self._moved:
            Alert.objects.bulk_create(
                self._moved,
                batch_size=ROWS_TOGETHER,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=_LIVING,
            )
        AlertEvent.objects.bulk_create(
            [
                AlertEvent(alert=alert, kind=kind, at=self._now, value=alert.value)
                for alert, happened in self._told
                for kind in happened
            ],
            batch_size=ROWS_TOGETHER,
        )
        return len(self._lapsed) + sum(1 for _, happened in self._told if happened)

    def _begin_all(self) -> None:
        """Those that this label set had before are asked for together."""
        row = self._look.row
        wanted = []
        for observation, found in self._waiting:
            labels = {**observation.labels, **row.labels}
            wanted.append((observation, found, labels, fingerprint(Alert.Source.RULE, row.name, labels)))
        looks = _earlier_looks([mark for *_, mark in wanted], self._now)
        for observation, found, labels, mark in wanted:
            life, happened = step(None, found, row.severity, self._timing, self._now, looks.get(mark, ""))
            if life is None:
                continue
            alert = Alert(
                rule=row,
                name=row.name,
                labels=labels,
                fingerprint=mark,
                description=row.description,
                runbook_url=row.runbook_url,
            )
            _live(alert, life)
            self._say(alert, labels, observation.value)
            self._made.append(alert)
            self._told.append((alert, happened))

    def _say(self, alert: Alert, labels: Mapping[str, str], value: float | None) -> None:
        rule = self._look.rule
        if rule is not None:
            alert.summary = rule.summary_of(labels, in_words(rule, value))
        alert.value = value
        if value is not None:
            is_low = getattr(rule and rule.condition, "operator", "above") == "below"
            alert.peak = value if alert.peak is None else (min if is_low else max)(alert.peak, value)


def _is_news(alert: Alert, life: Life, value: float | None) -> bool:
    """Whether it is worth a write: ten thousand alerts that stay as they are need none each time."""
    if life.seen_at - alert.seen_at >= _NOTED_EVERY or life != replace(_life(alert), seen_at=life.seen_at):
        return True
    return value is not None and abs(value - (alert.value or 0.0)) > _NEWS * abs(alert.value or 0.0)


def in_words(rule: Rule, value: float | None) -> str:
    """A figure of the rule's signal as people read it."""
    if value is None:
        return "no data"
    if rule.kind is Kind.BURN_RATE:
        return f"{value:.1f} times"
    unit = SIGNALS[rule.signal].unit if rule.signal in SIGNALS else ""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1
    return f"{value:,.{digits}f} {unit}".strip()


def _earlier_looks(marks: Sequence[str], now: datetime) -> dict[str, str]:
    """What was last seen of label sets whose alerts are over, with what was not looked at since as clear."""
    found: dict[str, str] = {}
    for first in range(0, len(marks), ROWS_TOGETHER):
        over = Alert.objects.filter(
            fingerprint__in=marks[first : first + ROWS_TOGETHER], resolved_at__gte=now - _REMEMBERED_FOR
        )
        for mark, looks, seen_at in over.order_by("pk").values_list("fingerprint", "looks", "seen_at"):
            missed = max(0, int((now - seen_at) / EVERY) - 1)
            found[mark] = looks + "0" * min(missed, 21)
    return found


def _life(alert: Alert) -> Life:
    return Life(
        state=State(alert.state),
        severity=alert.severity,
        started_at=alert.started_at,
        seen_at=alert.seen_at,
        fired_at=alert.fired_at,
        clear_since=alert.clear_since,
        acknowledged_severity=alert.acknowledged_severity,
        resolved_at=alert.resolved_at,
        data=Data(alert.data),
        looks=alert.looks,
        is_flapping=alert.is_flapping,
    )


_OF_LIFE = tuple(Life.__dataclass_fields__)
_LIVING = [*_OF_LIFE, "acknowledged_at", "acknowledged_by", "summary", "value", "peak"]


def _live(alert: Alert, life: Life) -> None:
    for name in _OF_LIFE:
        setattr(alert, name, getattr(life, name))
