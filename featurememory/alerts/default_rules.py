"""The rules that are there from the first start: silent while all is well, and each says something to act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone

from featurememory.alerts.rules import Rule
from featurememory.models import AlertRule

DEFAULT_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "breaker_open": {
        "name": "Breaker open",
        "kind": "threshold",
        "signal": "breaker_open",
        "condition": {"operator": "above", "threshold": 0, "window_s": 60},
        "keep_firing_for_s": 60,
        "severity": "critical",
        "summary": "Breaker {breaker} is open: its calls are refused.",
        "description": "Too many of its calls failed or were slow. It probes by itself and closes once probes "
        "succeed. Look at what its callers report; when the model is well again, a reset closes it at once.",
    },
    "breaker_flaps": {
        "name": "Breaker flaps",
        "kind": "event",
        "signal": "breaker_opened",
        "condition": {"within_s": 3_600, "times": 3},
        "severity": "warning",
        "summary": "Breaker {breaker} opened {value} within an hour.",
        "description": "Its probes succeed and its calls fail: the model fails under load, or its time-out is short.",
    },
    "error_budget": {
        "name": "Error budget burns",
        "kind": "burn_rate",
        "signal": "error_rate",
        "condition": {"objective": 0.99, "minimum": 10},
        "severity": "warning",
        "summary": "{operation_type} {model} fails {value} as often as 1 % allows.",
        "description": "14.4 times too often over an hour, 6 times over six, or more than allowed over three days.",
    },
    "latency": {
        "name": "Latency above its last day",
        "kind": "change",
        "signal": "latency_p95",
        "condition": {
            "operator": "above",
            "percent": 100,
            "window_s": 300,
            "against": "day",
            "minimum": 20,
            "minimum_calls": 20,
        },
        "for_s": 300,
        "keep_firing_for_s": 300,
        "severity": "warning",
        "summary": "{operation_type} {model}: p95 is {value}, more than twice that of its last day.",
        "description": "Compare what changed: parameters, a deploy, the host. Optimizations show which were tried.",
    },
    "no_operations": {
        "name": "No operations",
        "kind": "absence",
        "signal": "all_operations",
        "condition": {"window_s": 900},
        "severity": "warning",
        "summary": "No operation has come in for 15 minutes.",
        "description": "There were some within the last day. Is the orchestrator running? Is its key still valid?",
    },
    "component_unhealthy": {
        "name": "Component unhealthy",
        "kind": "threshold",
        "signal": "component_status",
        "condition": {"operator": "above", "threshold": 1, "window_s": 60},
        "matchers": [{"name": "component", "operator": "!~", "value": "breakers|resources"}],
        "for_s": 30,
        "severity": "critical",
        "summary": "{component} is unhealthy.",
        "description": "The health page says why. Breakers and resources have rules of their own.",
    },
    "resources": {
        "name": "Memory or disk nearly used up",
        "kind": "threshold",
        "signal": "constraint_share",
        "condition": {"operator": "above", "threshold": 95, "resolve_threshold": 90, "window_s": 120},
        "matchers": [
            {
                "name": "constraint",
                "operator": "=~",
                "value": "max_memory_mb|max_host_memory_percent|min_free_disk_mb",
            }
        ],
        "for_s": 60,
        "severity": "warning",
        "summary": "{constraint}: {value} of the limit are used.",
        "description": "At the limit new operations are refused.",
    },
    "job_overdue": {
        "name": "Job overdue",
        "kind": "threshold",
        "signal": "job_overdue",
        "condition": {"operator": "above", "threshold": 0, "window_s": 60},
        "for_s": 60,
        "severity": "warning",
        "summary": "The job {job} is overdue.",
        "description": "Its worker is gone, busy, or hangs in it. The jobs page says which.",
    },
    "cleanup_failed": {
        "name": "Cleanup failed",
        "kind": "event",
        "signal": "cleanup_failed",
        "condition": {"within_s": 3_600, "times": 1},
        "severity": "warning",
        "summary": "A cleanup failed; the database may grow beyond its limits.",
    },
    "sdk_drops": {
        "name": "SDKs drop operations",
        "kind": "event",
        "signal": "sdk_drops",
        "condition": {"within_s": 600, "times": 1},
        "severity": "warning",
        "summary": "SDK processes dropped {value} within 10 minutes.",
        "description": "Their buffers were full: the server was away or slow for longer than they can wait.",
    },
    "optimization_rolled_back": {
        "name": "Optimization rolled back",
        "kind": "event",
        "signal": "optimization_rolled_back",
        "condition": {"within_s": 3_600, "times": 1},
        "severity": "info",
        "summary": "A promoted parameter set of {operation_type} {model} regressed and was taken back.",
    },
    "validation_failures": {
        "name": "Many validation failures",
        "kind": "event",
        "signal": "validation_failures",
        "condition": {"within_s": 3_600, "times": 100},
        "severity": "info",
        "summary": "{source} sent {value} within about an hour.",
        "description": "Somebody sends what cannot be taken. The validation page shows what is wrong with it.",
    },
}


def ensure_default_rules(**_: Any) -> None:
    """Makes those that are missing, and brings up to date those that nobody has changed; runs after every
    migration."""
    now = timezone.now()
    known = {row.shipped_as: row for row in AlertRule.objects.filter(shipped_as__in=DEFAULT_RULES)}
    taken = set(AlertRule.objects.values_list("name", flat=True))
    for shipped_as, given in DEFAULT_RULES.items():
        values = Rule.of(given).values()
        row = known.get(shipped_as)
        if row is None:
            if values["name"] in taken:
                values["name"] = f"{values['name']} (shipped)"
            AlertRule.objects.create(shipped_as=shipped_as, changed_at=now, **values)
        elif not row.changed_by and any(getattr(row, name) != value for name, value in values.items()):
            AlertRule.objects.filter(pk=row.pk, version=row.version).update(changed_at=now, **values)
