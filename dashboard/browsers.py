"""Which browser it is, by what it says of itself: enough to know one's own again."""

from __future__ import annotations

import re

_NAMES = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"FxiOS/|Firefox/", "Firefox"),
    (r"HeadlessChrome/|CriOS/|Chrome/", "Chrome"),
    (r"Version/.*Safari/", "Safari"),
    (r"curl/", "curl"),
)
_SYSTEMS = (
    (r"Windows", "Windows"),
    (r"iPhone|iPad", "iOS"),
    (r"Android", "Android"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"CrOS", "ChromeOS"),
    (r"Linux|X11", "Linux"),
)


def browser_in_words(user_agent: str) -> str:
    """As in "Firefox on Linux"."""
    name = _first(_NAMES, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if not user_agent:
        return "a browser that does not say its name"
    return f"{name or 'another browser'} on {system}" if system else name or "another browser"


def _first(known: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in known if re.search(pattern, text)), "")
