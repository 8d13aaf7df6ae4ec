"""Alert rules between their rows and their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featurememory.alerts.rules import Rule
from featurememory.alerts.signals import SIGNALS
from featurememory.errors import ConfigurationError
from featurememory.models import AlertRule

COLUMNS = (
    "name", "kind", "signal", "condition", "matchers", "for_s", "keep_firing_for_s", "no_data", "severity", "labels",
    "summary", "description", "runbook_url", "is_enabled",
)  # fmt: skip
"""What a rule's owner sets: the keys of `Rule.values()`."""


def checked_rule(given: Mapping[str, Any]) -> Rule:
    """From what somebody gives; ConfigurationError names what is wrong, also where the parts make no sense together."""
    rule = Rule.of({name: given[name] for name in COLUMNS if name in given})
    signal = SIGNALS.get(rule.signal)
    if signal is None:
        raise ConfigurationError(f"signal must be one of {', '.join(SIGNALS)}.", field="signal")
    if rule.kind not in signal.kinds:
        kinds = ", ".join(sorted(signal.kinds))
        raise ConfigurationError(f"kind must be one of {kinds} for the signal {rule.signal}.", field="kind")
    return rule


def values_of(row: AlertRule) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def rule_of(row: AlertRule) -> Rule:
    """ConfigurationError where the row cannot be one."""
    return Rule.of(values_of(row))
