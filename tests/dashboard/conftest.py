"""People and situations for the pages' tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from tests.browser.scenarios import SCENARIOS, people


@pytest.fixture(autouse=True)
def _passwords_hash_fast(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def situation(db: Any, now: datetime) -> Callable[[str], None]:
    """Builds `empty`, `normal` or `incident`."""

    def build(name: str) -> None:
        with transaction.atomic():
            SCENARIOS[name](now)

    return build


@pytest.fixture
def sign_in(db: Any) -> Callable[[str], Client]:
    """A client of `admin`, `olga` (operator) or `viktor` (viewer)."""
    people()

    def client_of(name: str) -> Client:
        client = Client()
        client.force_login(User.objects.get(username=name))
        return client

    return client_of
