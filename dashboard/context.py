"""What every page shows around its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

PAGES = (
    ("overview", "Overview", "pulse"),
    ("breakers", "Breakers", "breaker"),
    ("patterns", "Patterns", "patterns"),
    ("optimizations", "Optimizations", "tune"),
)


@dataclass(frozen=True, slots=True)
class NavigationItem:
    title: str
    icon: str
    url: str
    is_current: bool


def chrome(request: HttpRequest) -> dict[str, Any]:
    """The navigation and the server's clock, for pages of the dashboard."""
    here = request.resolver_match.url_name if request.resolver_match else None
    return {
        "navigation": [
            NavigationItem(title, icon, reverse(name), bool(here) and str(here).startswith(name.rstrip("s")))
            for name, title, icon in PAGES
        ],
        "now": timezone.now(),
    }
