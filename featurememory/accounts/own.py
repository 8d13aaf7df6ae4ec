"""What people change about themselves."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from featurememory.accounts.sessions import end_sessions
from featurememory.audit import By, note
from featurememory.models import GivenPassword


def change_email(user: User, email: str, now: datetime) -> None:
    """A valid address, or none."""
    if email == user.email:
        return
    with transaction.atomic():
        before, user.email = user.email, email
        user.save(update_fields=["email"])
        by = By(user.username, "", now)
        note(by, "account.email", user.username, {"email": before}, {"email": email})


def chose_password(user: User, session_key: str | None, now: datetime) -> int:
    """After a person has set one of their own: every other session ends at once; how many."""
    with transaction.atomic():
        GivenPassword.objects.filter(user=user).delete()
        ended = end_sessions(user, but=session_key or "")
        note(By(user.username, "", now), "account.password", user.username, {}, {"sessions_ended": ended})
    return ended


def sign_out(user: User, *, but: str | None = None, only: int | None = None, now: datetime) -> int:
    """Ends one of their sessions, or all but this; how many."""
    with transaction.atomic():
        ended = end_sessions(user, but=but, only=only)
        if ended:
            note(By(user.username, "", now), "account.sign_out", user.username, {}, {"sessions_ended": ended})
    return ended
