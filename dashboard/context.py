"""What every page shows around its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from dashboard.alert_watch import count_calling, read_rule_watch
from dashboard.health import read_watch
from featurememory.accounts.sessions import ASKED_TO_CHANGE

PAGES = {
    "Now": (
        ("overview", "Overview", "pulse"),
        ("alerts", "Alerts", "bell"),
        ("health", "Health", "health"),
    ),
    "Calls": (
        ("operations", "Operations", "calls"),
        ("models", "Models", "models"),
        ("breakers", "Breakers", "breaker"),
        ("validations", "Validation", "check"),
    ),
    "Learning": (
        ("patterns", "Patterns", "patterns"),
        ("optimizations", "Optimizations", "tune"),
    ),
    "System": (
        ("resources", "Resources", "gauge"),
        ("jobs", "Jobs", "jobs"),
        ("settings", "Settings", "settings"),
    ),
}
"""By what brings somebody there."""


@dataclass(frozen=True, slots=True)
class NavigationItem:
    title: str
    icon: str
    url: str
    is_current: bool
    calling: int = 0
    """What on it calls for somebody."""


@dataclass(frozen=True, slots=True)
class NavigationGroup:
    title: str
    pages: list[NavigationItem]


def chrome(request: HttpRequest) -> dict[str, Any]:
    """The navigation, the server's clock, and whether anybody still looks after health, for pages of the dashboard."""
    now = timezone.now()
    here = request.resolver_match.url_name if request.resolver_match else None
    return {
        "navigation": SimpleLazyObject(lambda: _navigation(str(here or ""), request)),
        "now": now,
        "asks_for_password": SimpleLazyObject(lambda: ASKED_TO_CHANGE in request.session),
        "watch": SimpleLazyObject(lambda: read_watch(now)),
        "rule_watch": SimpleLazyObject(lambda: read_rule_watch(now)),
    }


def _navigation(here: str, request: HttpRequest) -> list[NavigationGroup]:
    calling = count_calling() if request.user.is_authenticated else 0
    groups = [
        NavigationGroup(
            title,
            [
                NavigationItem(
                    name_shown,
                    icon,
                    reverse(name),
                    here.startswith(name.rstrip("s")),
                    calling if name == "alerts" else 0,
                )
                for name, name_shown, icon in pages
            ],
        )
        for title, pages in PAGES.items()
    ]
    if request.user.is_authenticated and request.user.is_staff:
        groups[-1].pages.append(NavigationItem("Admin", "records", reverse("admin:index"), False))
    return groups
