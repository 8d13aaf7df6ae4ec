"""Configurations that can work, and what the others are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from featurememory import ConfigurationError
from featurememory.circuit_breaker.config import BreakerConfig
from tests.circuit_breaker.histories import breaker, calls


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert BreakerConfig()._asdict() == {
        "max_failures": 5,
        "failure_rate_threshold": 50,
        "slow_call_rate_threshold": 100,
        "slow_call_duration_ms": 60_000,
        "window_type": "count",
        "window_size": 100,
        "minimum_calls": 20,
        "reset_timeout_ms": 1_000,
        "backoff_multiplier": 2,
        "max_reset_timeout_ms": 60_000,
        "jitter": 0.1,
        "half_open_permits": 3,
        "half_open_timeout_ms": 30_000,
        "max_half_open_ms": 60_000,
        "trip_quorum": 1,
        "health_thresholds": (95, 95, None),
        "monitored_operations": (),
    }
    assert BreakerConfig().to_mapping() == {}


def test_only_what_differs_is_kept() -> None:
    config = BreakerConfig.from_mapping({"max_failures": 3, "jitter": 0.1})
    assert config.to_mapping() == {"max_failures": 3}
    assert BreakerConfig.from_mapping(config.to_mapping()) == config


def test_json_keeps_a_configuration_whole() -> None:
    given = {"health_thresholds": {"error_rate": 20, "cpu": None}, "monitored_operations": ["text_to_audio"]}
    config = BreakerConfig.from_mapping(json.loads(json.dumps(given)))
    assert config.health_thresholds == (None, 95, 20)
    assert BreakerConfig.from_mapping(json.loads(json.dumps(config.to_mapping()))) == config


def test_it_covers_what_it_names_and_everything_where_it_names_nothing() -> None:
    assert BreakerConfig().covers("anything")
    config = BreakerConfig.from_mapping({"monitored_operations": ["text_to_audio"]})
    assert config.covers("text_to_audio")
    assert not config.covers("transcription")


def test_a_window_of_time_may_ask_for_more_calls_than_it_has_seconds() -> None:
    assert BreakerConfig.from_mapping({"window_type": "time", "window_size": 10, "minimum_calls": 1_000})


@pytest.mark.parametrize(
    ("settings", "field", "advice"),
    [
        ({"max_failures": -1}, "max_failures", "a whole number from 0"),
        ({"max_failures": 2.5}, "max_failures", "a whole number"),
        ({"max_failures": True}, "max_failures", "a whole number"),
        ({"failure_rate_threshold": 0}, "failure_rate_threshold", "from 1 to 100"),
        ({"failure_rate_threshold": 100.5}, "failure_rate_threshold", "from 1 to 100"),
        ({"failure_rate_threshold": float("nan")}, "failure_rate_threshold", "a number"),
        ({"reset_timeout_ms": float("inf")}, "reset_timeout_ms", "a number"),
        ({"reset_timeout_ms": "1s"}, "reset_timeout_ms", "a number"),
        ({"half_open_permits": 0}, "half_open_permits", "from 1"),
        ({"jitter": 1.1}, "jitter", "from 0 to 1"),
        ({"backoff_multiplier": 0.5}, "backoff_multiplier", "from 1"),
        (
            {"minimum_calls": 50, "window_size": 10},
            "minimum_calls",
            "lower minimum_calls or raise window_size",
        ),
        ({"reset_timeout_ms": 90_000}, "max_reset_timeout_ms", "raise the one or lower the other"),
        ({"max_half_open_ms": 10}, "max_half_open_ms", "raise the one or lower the other"),
        ({"slow_call_rate_threshold": 0}, "slow_call_rate_threshold", "from 1 to 100"),
        ({"slow_call_duration_ms": 0}, "slow_call_duration_ms", "a number from 1"),
        ({"window_type": "calls"}, "window_type", "'count' or 'time'"),
        ({"trip_quorum": 0}, "trip_quorum", "a whole number from 1"),
        ({"health_thresholds": {"cpu": 0}}, "health_thresholds", "from 1 to 100, or null"),
        ({"health_thresholds": {"cpu": "much"}}, "health_thresholds", "a number"),
        ({"health_thresholds": {"disk": 90}}, "disk", "there are cpu, memory, error_rate"),
        ({"health_thresholds": 95}, "health_thresholds", "an object with cpu"),
        ({"monitored_operations": "text_to_audio"}, "monitored_operations", "operation types"),
        ({"monitored_operations": [""]}, "monitored_operations", "operation types"),
        ({"max_failure": 3}, "max_failure", "there are max_failures, failure_rate_threshold"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    settings: dict[str, Any], field: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BreakerConfig.from_mapping(settings)
    assert caught.value.data["field"] == field
    assert field in str(caught.value)
    assert advice in str(caught.value)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        BreakerConfig().max_failures = 3  # type: ignore[misc]


def test_a_new_configuration_keeps_the_newest_results_and_the_state() -> None:
    machine = breaker(max_failures=0, failure_rate_threshold=100)
    calls(machine, "F" * 10 + "S" * 5)
    smaller = BreakerConfig(window_size=6, minimum_calls=6, failure_rate_threshold=10)
    restored = type(machine).restore(smaller, machine.snapshot())
    status = restored.status(0)
    assert (status.state, status.calls, status.failures) == ("closed", 6, 1)


def test_fewer_permits_than_probes_already_back_do_not_leave_it_half_open() -> None:
    machine = breaker(max_failures=1, half_open_permits=3)
    calls(machine, "F")
    calls(machine, "SS", 1)
    restored = type(machine).restore(BreakerConfig(max_failures=1, half_open_permits=1), machine.snapshot())
    assert restored.admit(1).transitions[0].to_state == "closed"


def test_an_unknown_setting_is_told_in_a_sentence() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^A breaker has no setting 'of_2031'; there are max_failures,"
    ):
        BreakerConfig.from_mapping({"of_2031": True})


def test_what_is_kept_is_plain_json_and_gives_the_same_again() -> None:
    config = BreakerConfig.from_mapping(
        {"monitored_operations": ["a", "b"], "health_thresholds": {"cpu": None}, "window_type": "time"}
    )
    kept = config.to_mapping()
    assert kept == {
        "window_type": "time",
        "health_thresholds": {"cpu": None, "memory": 95, "error_rate": None},
        "monitored_operations": ["a", "b"],
    }
    assert BreakerConfig.from_mapping(json.loads(json.dumps(kept))) == config
