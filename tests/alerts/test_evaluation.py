"""Rules against what is stored: the right alerts, one for each label set, each with its life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from featurememory.alerts.default_rules import DEFAULT_RULES, ensure_default_rules
from featurememory.alerts.evaluation import evaluate_rules, last_evaluation
from featurememory.alerts.following import EVERY
from featurememory.alerts.lifecycle import State
from featurememory.alerts.observing import observe
from featurememory.alerts.rules import Rule
from featurememory.alerts.signals import SIGNALS
from featurememory.alerts.stored_rules import rule_of
from featurememory.ingestion.transaction import Submission
from featurememory.models import Alert, AlertEvent, AlertRule, Breaker, BreakerEvent, ResourceSample
from tests.operations import operation
from tests.optimization.test_two_processes import store

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_rules_but_ours(db: Any) -> None:
    AlertRule.objects.all().delete()


def rule(kind: str, signal: str, condition: Mapping[str, Any], **more: Any) -> AlertRule:
    given = {"name": "Ours", "severity": "warning", "kind": kind, "signal": signal, "condition": condition}
    return AlertRule.objects.create(changed_at=NOW, **Rule.of(given | more).values())


def calls(at: datetime, count: int, failed: int = 0, model: str = "whisper", ms: float = 100.0) -> None:
    outcomes = ["error"] * failed + ["success"] * (count - failed)
    group = [
        operation(
            operation_type="transcription",
            model=model,
            started_at=(at + timedelta(milliseconds=number)).isoformat(),
            outcome=outcome,
            duration_ms=ms,
            **({"error_type": "E", "error_message": "x"} if outcome == "error" else {}),
        )
        for number, outcome in enumerate(outcomes)
    ]
    store().store([Submission(group)], at.timestamp())


def states() -> dict[str, str]:
    """Of the open alerts, by model."""
    found = Alert.objects.exclude(state="resolved")
    return {alert.labels.get("model", ""): alert.state for alert in found}


def told(alert: Alert) -> list[str]:
    return list(alert.events.order_by("pk").values_list("kind", flat=True))


MINUTE = timedelta(minutes=1)


class TestThreshold:
    def test_each_label_set_has_its_own_alert(self) -> None:
        rule("threshold", "error_rate", {"operator": "above", "threshold": 10, "window_s": 300})
        calls(NOW - MINUTE, 20, failed=10)
        calls(NOW - MINUTE, 20, failed=10, model="wav2vec2")
        calls(NOW - MINUTE, 20, model="clap")

        evaluate_rules(NOW)

        assert states() == {"whisper": "firing", "wav2vec2": "firing"}
        alert = Alert.objects.filter(labels__model="whisper").get()
        assert alert.summary == "Ours: 50 %"
        assert (alert.value, alert.peak, alert.fired_at, alert.severity) == (50, 50, NOW, "warning")
        assert told(alert) == ["firing"]

    def test_the_same_evaluation_again_changes_nothing(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10}, for_s=60)
        calls(NOW - MINUTE, 20, failed=10)
        assert evaluate_rules(NOW) == 1
        assert evaluate_rules(NOW) == 0
        assert states() == {"whisper": "pending"}

    def test_it_fires_once_it_has_held_and_what_lapses_before_leaves_nothing(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10, "window_s": 60}, for_s=60)
        calls(NOW - MINUTE / 4, 20, failed=10)
        calls(NOW - MINUTE / 4, 20, failed=10, model="clap")
        evaluate_rules(NOW)
        calls(NOW + MINUTE, 20, failed=10)
        calls(NOW + MINUTE, 20, model="clap")
        evaluate_rules(NOW + MINUTE)
        assert states() == {"whisper": "firing"}
        assert Alert.objects.count() == 1

    def test_silence_of_the_data_resolves_nothing(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10, "window_s": 60})
        calls(NOW - MINUTE / 4, 20, failed=10)
        evaluate_rules(NOW)
        evaluate_rules(NOW + 10 * MINUTE)
        alert = Alert.objects.get()
        assert (alert.state, alert.data) == ("firing", "no_data")
        calls(NOW + 20 * MINUTE, 20)
        evaluate_rules(NOW + 20 * MINUTE)
        alert.refresh_from_db()
        assert (alert.state, alert.data, alert.resolved_at) == ("resolved", "there", NOW + 20 * MINUTE)
        assert told(alert) == ["firing", "no_data", "data", "resolved"]

    def test_unless_the_rule_says_so(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10, "window_s": 60}, no_data="resolve")
        calls(NOW - MINUTE / 4, 20, failed=10)
        evaluate_rules(NOW)
        evaluate_rules(NOW + 10 * MINUTE)
        assert Alert.objects.get().state == "resolved"

    def test_its_own_threshold_resolves_it(self) -> None:
        condition = {"threshold": 40, "resolve_threshold": 10, "window_s": 60}
        rule("threshold", "error_rate", condition)
        for minute, (failed, state) in enumerate([(10, "firing"), (5, "firing"), (1, "resolved")]):
            at = NOW + minute * MINUTE
            calls(at - timedelta(seconds=20), 20, failed=failed)
            evaluate_rules(at)
            assert Alert.objects.get().state == state

    def test_few_calls_say_nothing(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10, "minimum_calls": 20})
        calls(NOW - MINUTE, 19, failed=19)
        evaluate_rules(NOW)
        assert states() == {}

    def test_few_calls_resolve_nothing_either(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10, "minimum_calls": 20, "window_s": 60})
        calls(NOW - MINUTE / 4, 20, failed=10)
        evaluate_rules(NOW)
        calls(NOW + 2 * MINUTE, 5)
        evaluate_rules(NOW + 2 * MINUTE)
        assert (Alert.objects.get().state, Alert.objects.get().data) == ("firing", "no_data")

    def test_matchers_choose_among_label_sets(self) -> None:
        chosen = [{"name": "model", "operator": "!~", "value": "whis.*"}]
        rule("threshold", "error_rate", {"threshold": 10}, matchers=chosen)
        calls(NOW - MINUTE, 20, failed=10)
        calls(NOW - MINUTE, 20, failed=10, model="clap")
        evaluate_rules(NOW)
        assert states() == {"clap": "firing"}

    def test_latencies_are_judged_by_their_percentile(self) -> None:
        rule("threshold", "latency_p95", {"threshold": 500}, summary="{model}: {value}, of {threshold}")
        calls(NOW - MINUTE, 20, ms=800)
        calls(NOW - MINUTE, 20, ms=80, model="clap")
        evaluate_rules(NOW)
        assert Alert.objects.get().summary.startswith("whisper: 80")
        assert Alert.objects.get().summary.endswith(" ms, of 500")


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("threshold", {"threshold": 300}),
        ("threshold", {"threshold": 300, "resolve_threshold": 120}),
        ("change", {"percent": 100, "against": "day", "minimum": 50, "window_s": 300}),
    ],
)
def test_what_need_not_be_read_changes_no_judgement(
    kind: str, condition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latencies are read in full only of what may lie above the bound."""
    random = Random(7)
    for model in range(30):
        calls(NOW - timedelta(hours=3), 8, ms=random.choice([20, 100, 400]), model=f"m{model}")
        for _ in range(6):
            calls(NOW - MINUTE, 1, ms=random.lognormvariate(5, 0.8), model=f"m{model}")
    ours = rule_of(rule(kind, "latency_p95", condition))

    def judged() -> dict[str, list[bool | None]]:
        return {
            each.labels["model"]: [each.holds(ours, is_firing=is_firing) for is_firing in (False, True)]
            for each in observe(ours, NOW)
        }

    quick = judged()
    monkeypatch.setitem(SIGNALS, "latency_p95", replace(SIGNALS["latency_p95"], above=None))
    assert quick == judged()
    assert {True, False} <= {holds[0] for holds in quick.values()}


class TestOtherKinds:
    def test_a_latency_is_held_against_its_last_day(self) -> None:
        condition = {"percent": 100, "window_s": 300, "against": "day", "minimum": 20}
        rule("change", "latency_p95", condition)
        for hours in range(2, 20, 3):
            calls(NOW - timedelta(hours=hours), 30, ms=100)
            calls(NOW - timedelta(hours=hours), 30, ms=100, model="clap")
        calls(NOW - MINUTE, 30, ms=250)
        calls(NOW - MINUTE, 30, ms=150, model="clap")
        calls(NOW - MINUTE, 30, ms=900, model="new")
        evaluate_rules(NOW)
        assert states() == {"whisper": "firing"}

    def test_what_was_there_within_the_last_day_can_be_absent(self) -> None:
        rule("absence", "all_operations", {"window_s": 900})
        evaluate_rules(NOW)
        assert not Alert.objects.exists(), "nothing was ever there"
        calls(NOW - timedelta(minutes=20), 1)
        evaluate_rules(NOW + MINUTE)
        assert Alert.objects.get().state == "firing"
        calls(NOW + 2 * MINUTE, 1)
        evaluate_rules(NOW + 2 * MINUTE)
        assert Alert.objects.get().state == "resolved"

    @pytest.mark.parametrize(
        ("minutes", "failed", "objective", "burns"),
        [(60, 20, 0.99, True), (60, 20, 0.75, False), (2, 20, 0.99, False)],
        ids=["20 % for an hour", "20 % of which 25 % may", "20 % for two minutes of an hour"],
    )
    def test_an_error_budget_burns_where_the_long_and_the_short_window_do(
        self, minutes: int, failed: int, objective: float, burns: bool
    ) -> None:
        rule("burn_rate", "error_rate", {"objective": objective, "minimum": 10})
        for minute in range(60):
            calls(NOW - minute * MINUTE, 100, failed=failed if minute < minutes else 0)
        evaluate_rules(NOW)
        assert bool(states()) is burns

    def test_an_event_is_an_alert_for_a_while(self) -> None:
        rule("event", "breaker_opened", {"within_s": 300, "times": 2}, summary="{breaker} {value}")
        for number in (1, 2):
            opened(number, NOW - number * MINUTE)
        evaluate_rules(NOW)
        assert Alert.objects.get().summary == "b 2 times"
        evaluate_rules(NOW + 5 * MINUTE)
        assert Alert.objects.get().state == "resolved"

    def test_what_sdks_drop_shows_in_the_growth_of_the_total(self) -> None:
        rule("event", "sdk_drops", {"within_s": 600})
        for minute, total in enumerate([5, 5, 5, 5]):
            sample(NOW - (4 - minute) * MINUTE, sdk_dropped=total)
        evaluate_rules(NOW)
        assert not Alert.objects.exists()
        sample(NOW, sdk_dropped=1_000_007)
        evaluate_rules(NOW + timedelta(seconds=15))
        assert Alert.objects.get().value == 1_000_002


def opened(number: int, at: datetime, state: str = "open") -> None:
    breaker, _ = Breaker.objects.update_or_create(
        name="b",
        defaults={
            "operation_type": "transcription",
            "model": "whisper",
            "state": state,
            "computed_state": state,
            "changed_at": at,
            "created_at": NOW,
        },
    )
    BreakerEvent.objects.create(
        sequence=10_000 + number,
        breaker=breaker,
        name="b",
        from_state="closed",
        to_state=state,
        computed_state=state,
        cause="failure_rate",
        epoch=number,
        at=at,
    )


def sample(at: datetime, **figures: float) -> None:
    minute = at.replace(second=0, microsecond=0)
    told = {name: [value, value, value] for name, value in figures.items()}
    ResourceSample.objects.create(resolution=60, at=minute, figures=told)


class TestTheLifeOfAnAlert:
    def test_an_open_breaker_mutes_the_failures_that_opened_it(self) -> None:
        rule("threshold", "error_rate", {"threshold": 10})
        rule("threshold", "breaker_open", {"threshold": 0}, name="Breaker open", severity="critical")
        calls(NOW - MINUTE, 20, failed=10)
        assert Breaker.objects.get().computed_state == "open"
        evaluate_rules(NOW)
        breaker, failures = (Alert.objects.get(name=name) for name in ("Breaker open", "Ours"))
        assert failures.inhibited_by == breaker
        assert breaker.inhibited_by is None
        assert told(failures) == ["firing", "inhibited"]
        calls(NOW + 2 * MINUTE, 20, failed=10)
        Breaker.objects.update(computed_state="closed")
        BreakerEvent.objects.all().delete()
        evaluate_rules(NOW + 2 * MINUTE)
        failures.refresh_from_db()
        assert failures.inhibited_by is None
        assert told(failures)[-1] == "uninhibited"

    def test_of_a_breaker_that_is_gone_nothing_fires_any_more(self) -> None:
        rule("threshold", "breaker_open", {"threshold": 0})
        opened(1, NOW - MINUTE)
        evaluate_rules(NOW)
        assert Alert.objects.get().state == "firing"
        Breaker.objects.all().delete()
        evaluate_rules(NOW + MINUTE)
        assert Alert.objects.get().state == "resolved"

    def test_a_disabled_rule_leaves_no_alert_open(self) -> None:
        row = rule("threshold", "error_rate", {"threshold": 10})
        calls(NOW - MINUTE, 20, failed=10)
        evaluate_rules(NOW)
        AlertRule.objects.filter(pk=row.pk).update(is_enabled=False)
        evaluate_rules(NOW + MINUTE)
        assert Alert.objects.get().state == State.RESOLVED
        assert AlertEvent.objects.latest("pk").note == "Its rule was disabled."

    def test_a_rule_that_cannot_be_evaluated_says_so_and_resolves_nothing(self) -> None:
        row = rule("threshold", "error_rate", {"threshold": 10})
        calls(NOW - MINUTE, 20, failed=10)
        evaluate_rules(NOW)
        AlertRule.objects.filter(pk=row.pk).update(signal="nothing")
        evaluate_rules(NOW + MINUTE)
        row.refresh_from_db()
        alert = Alert.objects.get()
        assert (alert.state, alert.data) == ("firing", "error")
        assert "nothing" in row.error

    def test_an_acknowledged_one_opens_anew_when_it_gets_worse(self) -> None:
        row = rule("threshold", "error_rate", {"threshold": 10})
        calls(NOW - MINUTE, 20, failed=10)
        evaluate_rules(NOW)
        Alert.objects.update(
            state="acknowledged", acknowledged_by="ada", acknowledged_at=NOW, acknowledged_severity="warning"
        )
        evaluate_rules(NOW + MINUTE)
        assert Alert.objects.get().state == "acknowledged"
        AlertRule.objects.filter(pk=row.pk).update(severity="critical")
        evaluate_rules(NOW + 2 * MINUTE)
        alert = Alert.objects.get()
        assert (alert.state, alert.severity, alert.acknowledged_by) == ("firing", "critical", "")
        assert told(alert)[-2:] == ["severity", "reopened"]

    def test_one_that_flaps_is_one_alert(self) -> None:
        rule("threshold", "breaker_open", {"threshold": 0, "window_s": 60})
        for look in range(60):
            at = NOW + look * EVERY
            opened(look, at, state=("closed", "open")[look % 2])
            evaluate_rules(at)
        alert = Alert.objects.get(is_flapping=True)
        assert alert.state == "firing"
        assert Alert.objects.count() < 10
        opened(60, NOW + 60 * EVERY, state="closed")
        for look in range(60, 90):
            evaluate_rules(NOW + look * EVERY)
        alert.refresh_from_db()
        assert (alert.state, alert.is_flapping) == ("resolved", False)
        assert told(alert).count("flapping") == told(alert).count("steady") == 1


class TestDefaultRules:
    def test_they_are_there_once_and_can_be_evaluated(self) -> None:
        ensure_default_rules()
        ensure_default_rules()
        assert AlertRule.objects.count() == len(DEFAULT_RULES)
        evaluate_rules(NOW)
        assert not AlertRule.objects.exclude(error="").exists()
        assert not Alert.objects.exists()
        assert last_evaluation() == NOW

    def test_what_somebody_changed_stays_changed_and_the_rest_follows_the_release(self) -> None:
        ensure_default_rules()
        AlertRule.objects.filter(shipped_as="latency").update(for_s=7, changed_by="ada")
        AlertRule.objects.filter(shipped_as="no_operations").update(for_s=7)
        ensure_default_rules()
        assert rule_of(AlertRule.objects.get(shipped_as="latency")).for_s == 7
        assert rule_of(AlertRule.objects.get(shipped_as="no_operations")).for_s == 0
