"""An operator's hand on alerts: with a note, once, audited, and written down in the alert's own log."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from featurememory.alerts.errors import RuleMoved, UnknownAlert, UnknownRule
from featurememory.alerts.operator_actions import ACTIONS, acknowledge, add_note, close, unacknowledge
from featurememory.alerts.rule_actions import delete_rule, save_rule, switch_rule, values_of
from featurememory.alerts.rules import Rule
from featurememory.errors import ConfigurationError, ValidationError
from featurememory.models import Alert, AlertEvent, AlertRule, AuditEntry
from tests.alerts.alerts import stored_alert, stored_rule

pytestmark = pytest.mark.django_db


def kinds(alert: Alert) -> list[str]:
    return list(AlertEvent.objects.filter(alert=alert).order_by("id").values_list("kind", flat=True))


def test_acknowledging_takes_an_alert_with_name_and_note(now: datetime) -> None:
    alert = stored_alert(now)

    acknowledge([alert.pk], actor="olga", note=" the GPU is being swapped ", now=now)

    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_at) == ("acknowledged", "olga", now)
    assert alert.acknowledged_severity == "warning"
    event, entry = AlertEvent.objects.get(), AuditEntry.objects.get()
    assert (event.kind, event.actor, event.note) == ("acknowledged", "olga", "the GPU is being swapped")
    assert (entry.action, entry.before["state"], entry.after["state"]) == (
        "alert.acknowledge", "firing", "acknowledged",
    )  # fmt: skip


def test_one_that_somebody_has_keeps_its_owner_and_gets_the_note(now: datetime) -> None:
    alert = stored_alert(now)
    acknowledge([alert.pk], actor="olga", note="mine", now=now)

    acknowledge([alert.pk], actor="admin", note="I can help", now=now + timedelta(minutes=1))

    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.acknowledged_at) == ("olga", now)
    assert kinds(alert) == ["acknowledged", "note"]


@pytest.mark.parametrize("slug", list(ACTIONS))
def test_the_same_submit_does_it_once(now: datetime, slug: str) -> None:
    state = "acknowledged" if slug == "unacknowledge" else "firing"
    alerts = [stored_alert(now, model, state=state) for model in ("whisper", "bark")]
    ids, request_id = [each.pk for each in alerts], uuid4()

    done = [
        ACTIONS[slug].do(ids, actor="olga", note="once", now=now, request_id=request_id) for _ in range(2)
    ]

    assert [len(each.alerts) for each in done] == [2, 2]
    assert [each.passed_over for each in done] == [(), ()]
    assert AuditEntry.objects.count() == AlertEvent.objects.count() == 2


@pytest.mark.parametrize("slug", list(ACTIONS))
def test_without_a_note_nothing_is_done(now: datetime, slug: str) -> None:
    alert = stored_alert(now)
    with pytest.raises(ValidationError):
        ACTIONS[slug].do([alert.pk], actor="olga", note="  ", now=now)
    assert not AuditEntry.objects.exists()


def test_what_is_given_back_fires_for_nobody(now: datetime) -> None:
    alert = stored_alert(now)
    acknowledge([alert.pk], actor="olga", note="mine", now=now)

    unacknowledge([alert.pk], actor="olga", note="my shift is over", now=now)

    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_at) == ("firing", "", None)
    assert kinds(alert) == ["acknowledged", "reopened"]


def test_closing_resolves_by_hand_and_leaves_what_is_over_alone(now: datetime) -> None:
    alert, over = stored_alert(now), stored_alert(now, "bark", state="resolved", resolved_at=now)

    acted = close([alert.pk, over.pk], actor="olga", note="false alarm", now=now)

    alert.refresh_from_db()
    assert (alert.state, alert.resolved_at) == ("resolved", now)
    assert [each.pk for each in acted.alerts] == [alert.pk]
    assert [each.pk for each in acted.passed_over] == [over.pk]
    assert kinds(over) == []
    assert "fires anew at the next evaluation" in ACTIONS["close"].consequence


def test_what_is_only_pending_is_nobody_s_to_take(now: datetime) -> None:
    alert = stored_alert(now, state="pending", fired_at=None)
    assert acknowledge([alert.pk], actor="olga", note="mine", now=now).passed_over == (alert,)
    assert not AuditEntry.objects.exists()


def test_a_note_may_be_added_to_what_is_over(now: datetime) -> None:
    alert = stored_alert(now, state="resolved", resolved_at=now)
    add_note([alert.pk], actor="olga", note="it was the switch", now=now)
    assert kinds(alert) == ["note"]


def test_an_alert_that_there_is_none_of_stops_the_whole_act(now: datetime) -> None:
    alert = stored_alert(now)
    with pytest.raises(UnknownAlert):
        acknowledge([alert.pk, alert.pk + 1], actor="olga", note="both", now=now)
    alert.refresh_from_db()
    assert alert.state == "firing"


def wanted(**more: object) -> dict[str, object]:
    given = {
        "name": "Slow", "kind": "threshold", "signal": "latency_p95", "condition": {"threshold": 5_000},
        "severity": "warning",
    }  # fmt: skip
    return Rule.of(given | more).values()


def test_a_rule_is_created_changed_and_switched_off_each_with_its_audit(now: datetime) -> None:
    created = save_rule(wanted(), actor="olga", reason="we want to know", now=now)
    assert (created.version, created.changed_by) == (1, "olga")
    alert = stored_alert(now, rule=created)

    save_rule(wanted(severity="critical"), id=created.pk, version=1, actor="admin", reason="worse", now=now)
    entry = AuditEntry.objects.filter(action="rule.change").get()
    assert (entry.before, entry.after) == (
        {"severity": "warning"}, {"id": created.pk, "severity": "critical"},
    )  # fmt: skip

    switch_rule(created.pk, is_enabled=False, actor="olga", reason="too loud", now=now)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    event = AlertEvent.objects.get(alert=alert)
    assert (event.kind, event.actor, event.note) == ("resolved", "olga", "Its rule was switched off.")


def test_nobody_overwrites_unseen_what_another_has_changed(now: datetime) -> None:
    rule = stored_rule(now)
    save_rule(values_of(rule), id=rule.pk, version=1, actor="admin", reason="first", now=now)
    with pytest.raises(RuleMoved, match="version 2"):
        save_rule(values_of(rule), id=rule.pk, version=1, actor="olga", reason="second", now=now)


def test_two_rules_cannot_have_one_name(now: datetime) -> None:
    stored_rule(now, "Slow")
    with pytest.raises(ConfigurationError, match="another rule's") as refused:
        save_rule(wanted(), actor="olga", reason="again", now=now)
    assert refused.value.data["field"] == "name"


def test_the_same_submit_creates_one_rule(now: datetime) -> None:
    request_id = uuid4()
    rules = [
        save_rule(wanted(), actor="olga", reason="once", now=now, request_id=request_id) for _ in range(2)
    ]
    assert rules[0].pk == rules[1].pk


def test_own_rules_can_be_deleted_and_shipped_ones_only_switched_off(now: datetime) -> None:
    own, shipped = stored_rule(now), stored_rule(now, "Came along", shipped_as="test_rule")
    alert = stored_alert(now, rule=own)

    delete_rule(own.pk, actor="olga", reason="not needed", now=now)
    with pytest.raises(ConfigurationError, match="switch it off"):
        delete_rule(shipped.pk, actor="olga", reason="not needed", now=now)
    with pytest.raises(UnknownRule):
        delete_rule(own.pk, actor="olga", reason="again", now=now)

    alert.refresh_from_db()
    assert (alert.state, alert.rule_id) == ("resolved", None)
    assert not AlertRule.objects.filter(pk=own.pk).exists()
