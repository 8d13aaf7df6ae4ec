"""Alert rules as the list shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from dashboard.alert_words import RULE_KINDS, SEVERITIES
from dashboard.file_columns import Columns
from dashboard.words import Look
from featurememory.alerts.labels import Matcher, matchers_of
from featurememory.models import AlertRule
from featurememory.models.alert import OPEN

_ON = Look("On", "check", "ok")
_OFF = Look("Off", "pause", "off")
_FAILS = Look("Fails", "warning", "warn")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`open`: how many of its alerts are."""

    rule: AlertRule
    open: int

    @property
    def look(self) -> Look:
        if not self.rule.is_enabled:
            return _OFF
        return _FAILS if self.rule.error else _ON

    @property
    def severity(self) -> Look:
        return SEVERITIES[self.rule.severity]

    @property
    def kind(self) -> str:
        return RULE_KINDS[self.rule.kind]

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        return matchers_of(self.rule.matchers)


EXPORTED: Columns[RuleRow] = {
    "id": lambda row: row.rule.pk,
    "name": lambda row: row.rule.name,
    "is_enabled": lambda row: row.rule.is_enabled,
    "severity": lambda row: row.rule.severity,
    "kind": lambda row: row.rule.kind,
    "signal": lambda row: row.rule.signal,
    "condition": lambda row: row.rule.condition,
    "matchers": lambda row: " ".join(map(str, row.matchers)),
    "for_s": lambda row: row.rule.for_s,
    "keep_firing_for_s": lambda row: row.rule.keep_firing_for_s,
    "no_data": lambda row: row.rule.no_data,
    "labels": lambda row: row.rule.labels,
    "summary": lambda row: row.rule.summary,
    "runbook_url": lambda row: row.rule.runbook_url,
    "open_alerts": lambda row: row.open,
    "evaluated_at": lambda row: row.rule.evaluated_at,
    "error": lambda row: row.rule.error,
    "changed_at": lambda row: row.rule.changed_at,
    "changed_by": lambda row: row.rule.changed_by,
}


def list_rules() -> list[RuleRow]:
    """One query."""
    rules = AlertRule.objects.annotate(open_alerts=Count("alerts", filter=Q(alerts__state__in=OPEN)))
    return [RuleRow(rule, rule.open_alerts) for rule in rules.order_by("-is_enabled", "name")]
