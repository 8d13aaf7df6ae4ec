"""Evaluating the rules: what signals say now is looked at first, beside everything that is stored meanwhile; then, in
one short transaction, the alerts move on.

An evaluation that fails is noted at its rule, and its alerts stay as they are. The same moment evaluated again changes
nothing.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import Max

from featurememory.alerts.following import ROWS_TOGETHER, Look, follow
from featurememory.alerts.muting import mute_answered
from featurememory.alerts.observing import observe
from featurememory.alerts.silencing import apply_silences
from featurememory.alerts.stored_rules import rule_of
from featurememory.errors import FeatureMemoryError
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Alert, AlertEvent, AlertRule

logger = logging.getLogger(__name__)

STALE_AFTER = timedelta(minutes=1)
"""Rules that were not evaluated for so long say nothing about now."""


def evaluate_rules(now: datetime) -> int:
    """Evaluates every enabled rule; how many alerts changed."""
    looks = [_look(row, now) for row in AlertRule.objects.filter(is_enabled=True)]
    with transaction.atomic():
        be_alone_with(Lock.ALERTS)
        changed = sum(follow(look, now) for look in looks)
        changed += _close_orphans(now)
        mute_answered(now)
        apply_silences(now)
        for look in looks:
            look.row.evaluated_at, look.row.evaluation_ms, look.row.error = now, look.took_ms, look.error
        AlertRule.objects.bulk_update(
            [look.row for look in looks], ["evaluated_at", "evaluation_ms", "error"]
        )
    return changed


def last_evaluation() -> datetime | None:
    """When rules were last evaluated."""
    newest: datetime | None = AlertRule.objects.filter(is_enabled=True).aggregate(at=Max("evaluated_at"))[
        "at"
    ]
    return newest


def _look(row: AlertRule, now: datetime) -> Look:
    began = time.perf_counter()
    try:
        rule = rule_of(row)
        observed = observe(rule, now)
    except (FeatureMemoryError, DatabaseError, KeyError) as failure:
        logger.warning("rule %r could not be evaluated: %s", row.name, failure)
        return Look(row, None, (), (time.perf_counter() - began) * 1_000, f"{failure}"[:1_000])
    return Look(row, rule, observed, (time.perf_counter() - began) * 1_000)


def _close_orphans(now: datetime) -> int:
    """Of a rule that is not there any more, or was disabled, no alert stays open."""
    orphans = Alert.objects.filter(source=Alert.Source.RULE).exclude(state=Alert.State.RESOLVED)
    closed = list(orphans.exclude(rule__is_enabled=True))
    for alert in closed:
        alert.state, alert.resolved_at, alert.seen_at = Alert.State.RESOLVED, now, now
    Alert.objects.bulk_update(closed, ["state", "resolved_at", "seen_at"], batch_size=ROWS_TOGETHER)
    AlertEvent.objects.bulk_create(
        [
            AlertEvent(
                alert=alert,
                kind=AlertEvent.Kind.RESOLVED,
                at=now,
                note="Its rule was disabled." if alert.rule_id else "Its rule was deleted.",
            )
            for alert in closed
        ],
        batch_size=ROWS_TOGETHER,
    )
    return len(closed)
