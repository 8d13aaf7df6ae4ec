"""What can be set, how each stands now, and who may change it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.urls import reverse

from dashboard.audit_words import in_words
from dashboard.words import plural
from featurememory.accounts.keys import MAY_SEE
from featurememory.accounts.people import MAY_MANAGE
from featurememory.circuit_breaker.operator_actions import PERMISSION as MAY_OPERATE_BREAKERS
from featurememory.models import (
    AlertChannel,
    AlertRoute,
    AlertRule,
    ApiKey,
    AuditEntry,
    BreakerConfiguration,
    Job,
    LearningSettings,
    ResourceSettings,
)
from featurememory.optimization.operator_actions import PERMISSION as MAY_OPERATE_OPTIMIZATIONS
from featurememory.roles import administrators

MAY_SET_LIMITS = "featurememory.operate_limits"
MAY_READ_AUDIT = "featurememory.view_auditentry"
ADMINISTRATORS = "An administrator can open this."
OPERATORS = "An operator or an administrator can open this."


@dataclass(frozen=True, slots=True)
class Card:
    """`address` is empty where the reader may not open it; `by` then says who can."""

    title: str
    icon: str
    about: str
    stands: str
    address: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    cards: tuple[Card, ...]


def read_settings(user: User) -> list[Group]:
    """A dozen queries."""

    def card(title: str, icon: str, about: str, stands: str, name: str, needs: str, by: str) -> Card:
        may = not needs or user.has_perm(needs)
        return Card(title, icon, about, stands, reverse(name) if may else "", "" if may else by)

    access = (
        card("API keys", "key", "what programs sign in with", _keys(), "settings-keys", MAY_SEE, ADMINISTRATORS),
        card("People and roles", "people", "who gets in, and what they may do", _people(), "settings-people",
             MAY_MANAGE, ADMINISTRATORS),
        card("Audit", "book", "who did what, and why", _audit(), "settings-audit",
             MAY_READ_AUDIT, ADMINISTRATORS),
    )  # fmt: skip
    alerts = (
        card("Channels and routes", "bell", "who is told of alerts", _channels(), "alert-channels", "", ""),
        card("Alert rules", "check", "what an alert is", _rules(), "alert-rules", "", ""),
    )
    running = (
        card("Limits and retention", "gauge", "how much is kept, and how long", _limits(), "resource-limits",
             MAY_SET_LIMITS, OPERATORS),
        card("Breakers", "breaker", "when they open and close", _breakers(), "breaker-settings",
             MAY_OPERATE_BREAKERS, OPERATORS),
        card("Learning", "tune", "how far parameters are tried", _learning(), "optimization-settings",
             MAY_OPERATE_OPTIMIZATIONS, OPERATORS),
        card("Jobs", "jobs", "what is done by itself", _jobs(), "jobs", "", ""),
    )  # fmt: skip
    return [Group("Access", access), Group("Alerts", alerts), Group("How it runs", running)]


def _keys() -> str:
    revoked = list(ApiKey.objects.values_list("revoked_at", flat=True)[:10_000])
    live = revoked.count(None)
    if not revoked:
        return "There is none yet: nothing can be sent."
    return f"{plural(live, 'key')} in use, {len(revoked) - live} revoked."


def _people() -> str:
    active = User.objects.filter(is_active=True).count()
    leading = administrators().filter(is_active=True).count()
    return f"{plural(active, 'account')} can sign in, {leading} of them as administrator."


def _audit() -> str:
    newest = AuditEntry.objects.order_by("-at", "-pk").first()
    if newest is None:
        return "Nobody has done anything yet."
    return f"Last: {in_words(newest.action).lower()}, by {newest.actor}."


def _channels() -> str:
    channels = AlertChannel.objects.filter(is_enabled=True).count()
    if not channels:
        return "Nobody is told: no channel is in use."
    return f"{plural(channels, 'channel')} in use, {plural(AlertRoute.objects.count(), 'route')}."


def _rules() -> str:
    on = list(AlertRule.objects.values_list("is_enabled", flat=True))
    return f"{plural(sum(on), 'rule')} on, {len(on) - sum(on)} off."


def _limits() -> str:
    row = ResourceSettings.objects.first()
    if row is None or not (row.constraints or row.retention):
        return "As shipped."
    return f"Changed {row.changed_at:%Y-%m-%d}."


def _breakers() -> str:
    layers = BreakerConfiguration.objects.exclude(values={}).count()
    return f"{plural(layers, 'place')} where they differ from what is shipped." if layers else "As shipped."


def _learning() -> str:
    layers = LearningSettings.objects.exclude(values={}).count()
    return f"{plural(layers, 'place')} where it differs from what is shipped." if layers else "As shipped."


def _jobs() -> str:
    results = list(Job.objects.values_list("result", flat=True))
    failed = results.count("failed")
    if not results:
        return "None has run yet."
    return f"{plural(len(results), 'job')}, {failed or 'none'} failed when last run."
