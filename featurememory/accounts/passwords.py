"""Passwords that are drawn for people, and known to be until they choose one of their own."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.contrib.auth.models import User

from featurememory.models import GivenPassword


def draw_password(user: User, now: datetime) -> str:
    """Sets and saves a new one, of 160 random bits; whoever is asked to say it sees it this once."""
    password = secrets.token_urlsafe(20)
    user.set_password(password)
    user.save()
    GivenPassword.objects.update_or_create(user=user, defaults={"given_at": now})
    return password


def has_own_password(user: User) -> bool:
    """False while it is the one that was drawn; one query."""
    return not GivenPassword.objects.filter(user=user).exists()
