"""The audit in words: what was done, to what, and what is different since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.urls import NoReverseMatch, reverse

from dashboard.words import NOTHING
from featurememory.accounts.keys import MAY_SEE
from featurememory.accounts.people import MAY_MANAGE
from featurememory.circuit_breaker.operator_actions import PERMISSION as MAY_OPERATE_BREAKERS
from featurememory.optimization.operator_actions import PERMISSION as MAY_OPERATE_OPTIMIZATIONS

ACTIONS = {
    "annotation.write": "Wrote an annotation",
    "annotation.remove": "Removed an annotation",
    "breaker.reset": "Reset a breaker",
    "breaker.force_open": "Forced a breaker open",
    "breaker.disable": "Disabled a breaker",
    "breaker.metrics_only": "Set a breaker to only measure",
    "breaker.release": "Released a breaker",
    "breaker.configure": "Changed settings of breakers",
    "alert.acknowledge": "Acknowledged an alert",
    "alert.unacknowledge": "Gave an alert back",
    "alert.note": "Noted something on an alert",
    "alert.close": "Closed an alert",
    "rule.create": "Made an alert rule",
    "rule.change": "Changed an alert rule",
    "rule.delete": "Deleted an alert rule",
    "silence.create": "Silenced alerts",
    "silence.change": "Changed a silence",
    "silence.end": "Ended a silence",
    "channel.add": "Added a channel",
    "channel.change": "Changed a channel",
    "channel.delete": "Deleted a channel",
    "channel.test": "Tested a channel",
    "route.add": "Added a route",
    "route.change": "Changed a route",
    "route.delete": "Deleted a route",
    "optimization.promote": "Promoted an optimization",
    "optimization.activate": "Made an optimization active",
    "optimization.quarantine": "Quarantined an optimization",
    "optimization.retire": "Retired an optimization",
    "candidate.add": "Proposed parameters",
    "candidate.retire": "Retired parameters everywhere",
    "learning.configure": "Changed learning settings",
    "pattern.change": "Changed a pattern",
    "pattern.merge": "Merged patterns",
    "pattern.remove": "Forgot a pattern",
    "memory.import": "Imported a memory",
    "cleanup.run": "Asked for a cleanup",
    "resources.configure": "Changed limits and retention",
    "job.run": "Asked for a job",
    "api_key.create": "Made an API key",
    "api_key.revoke": "Revoked an API key",
    "person.add": "Added a person",
    "person.role": "Changed a role",
    "person.deactivate": "Deactivated a person",
    "person.activate": "Let a person in again",
    "person.password": "Set somebody’s password",
    "lockout.release": "Lifted a lockout",
    "account.email": "Changed their e-mail",
    "account.password": "Changed their password",
    "account.sign_out": "Signed out elsewhere",
}


@dataclass(frozen=True, slots=True)
class Difference:
    name: str
    before: str
    after: str


def in_words(action: str) -> str:
    """An act of a later version keeps its own name."""
    return ACTIONS.get(action, action.replace(".", ": ").replace("_", " ").capitalize())


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What differs, by the names of the values; what lies within others is named by its path."""
    was, is_now = _flat(before), _flat(after)
    return [
        Difference(name, was.get(name, NOTHING), is_now.get(name, NOTHING))
        for name in dict.fromkeys((*was, *is_now))
        if was.get(name, NOTHING) != is_now.get(name, NOTHING)
    ]


class Page(NamedTuple):
    """An address by its name, of what an argument stands for: the subject, its first word, or the id in `after`.
    `needs` is the permission to open it, where not everybody has it."""

    name: str
    argument: str = ""
    needs: str = ""


def page_of(action: str, subject: str, after: Mapping[str, Any], may: Callable[[str], bool]) -> str:
    """Where what was acted on is shown; "" where it has no page, or none that the reader may open."""
    page = _PAGES.get(action) or _PAGES.get(action.partition(".")[0])
    if page is None or (page.needs and not may(page.needs)):
        return ""
    if not page.argument:
        return reverse(page.name)
    arguments = {"subject": subject, "first word": subject.partition(" ")[0], "id": after.get("id")}
    try:
        return reverse(page.name, args=[arguments[page.argument]])
    except NoReverseMatch:
        return reverse(_LISTS[page.name])


_PAGES = {
    "breaker": Page("breaker", "subject"),
    "breaker.configure": Page("breaker-settings", needs=MAY_OPERATE_BREAKERS),
    "alert": Page("alert", "first word"),
    "rule": Page("alert-rule", "id", "featurememory.operate_rules"),
    "rule.delete": Page("alert-rules"),
    "silence": Page("alert-silence", "id", "featurememory.operate_alerts"),
    "channel": Page("alert-channels"),
    "route": Page("alert-channels"),
    "optimization": Page("optimization", "subject"),
    "candidate": Page("optimizations"),
    "learning": Page("optimization-settings", needs=MAY_OPERATE_OPTIMIZATIONS),
    "pattern": Page("pattern", "subject"),
    "pattern.remove": Page("patterns"),
    "cleanup": Page("resources"),
    "resources": Page("resource-limits", needs="featurememory.operate_limits"),
    "job": Page("jobs"),
    "api_key": Page("settings-keys", needs=MAY_SEE),
    "person": Page("settings-people", needs=MAY_MANAGE),
    "lockout": Page("settings-people", needs=MAY_MANAGE),
}
_LISTS = {
    "alert": "alerts",
    "breaker": "breakers",
    "alert-rule": "alert-rules",
    "alert-silence": "alert-silences",
    "optimization": "optimizations",
    "pattern": "patterns",
}


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        path = f"{above}{name.replace('_', ' ')}"
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{path}: ")
        else:
            flat[path] = _value(value)
    return flat


def _value(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(
                ", ".join(f"{k} {_value(v)}" for k, v in each.items())
                if isinstance(each, Mapping)
                else _value(each)
                for each in value
            )
        case float():
            return f"{value:g}"
        case _:
            return str(value)
