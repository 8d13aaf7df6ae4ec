"""One Chromium for the session, people signed in, and an ear for what goes wrong in a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import chromium
from tests.browser.scenarios import SCENARIOS, people

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop in the tests' thread
TIMEOUT_MS = 10_000
_LISTEN = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""


@dataclass
class Ear:
    """What a page complained about, and where it asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.add_init_script(_LISTEN)
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.origins.add(urlsplit(request.url).netloc))

    def heard(self) -> list[str]:
        """Errors of the console and violations of the Content-Security-Policy."""
        return [*self.complaints, *self.page.evaluate("window.violations")]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def situation(transactional_db: Any) -> Callable[[str], None]:
    """Builds `empty`, `normal` or `incident`, and the people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    def build(name: str) -> None:
        people()
        SCENARIOS[name](timezone.now())

    return build


@pytest.fixture
def context_of(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """A browser's window in which somebody is signed in; further arguments are Playwright's."""
    opened: list[BrowserContext] = []

    def make(name: str, **options: Any) -> BrowserContext:
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(TIMEOUT_MS)
        opened.append(context)
        client = Client()
        client.force_login(User.objects.get(username=name))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
        )
        return context

    yield make
    for context in opened:
        context.close()
