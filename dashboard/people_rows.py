"""People, their sessions and lockouts as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Max
from django.db.models.functions import Lower

from dashboard.browsers import browser_in_words
from dashboard.file_columns import Columns
from dashboard.words import Look
from featurememory.accounts.sessions import sessions_of
from featurememory.models import SignIn
from featurememory.roles import ADMINISTRATOR, OPERATOR, VIEWER, role_of

SHOWN = 500
"""People on the page at most."""
ROLE_WORDS = {
    VIEWER: "sees every page, changes nothing",
    OPERATOR: "sees every page and acts: breakers, alerts, patterns, optimizations, limits and rules",
    ADMINISTRATOR: "does all that operators do, and sets up people, keys and channels, and runs jobs at once",
    "": "has no role yet, and may do nothing but look",
}
_LET_IN = Look("Active", "check", "ok")
_KEPT_OUT = Look("Deactivated", "pause", "off")


@dataclass(frozen=True, slots=True)
class PersonRow:
    user: User
    role: str
    seen_at: datetime | None
    sessions: int
    has_drawn_password: bool

    @property
    def look(self) -> Look:
        return _LET_IN if self.user.is_active else _KEPT_OUT


EXPORTED: Columns[PersonRow] = {
    "name": lambda row: row.user.username,
    "role": lambda row: row.role,
    "email": lambda row: row.user.email,
    "is_active": lambda row: row.user.is_active,
    "has_drawn_password": lambda row: row.has_drawn_password,
    "seen_at": lambda row: row.seen_at,
    "sessions": lambda row: row.sessions,
    "joined_at": lambda row: row.user.date_joined,
}


@dataclass(frozen=True, slots=True)
class SessionRow:
    sign_in: SignIn
    is_this: bool

    @property
    def browser(self) -> str:
        return browser_in_words(self.sign_in.user_agent)


def list_people() -> list[PersonRow]:
    """Three queries."""
    users = (
        User.objects.annotate(seen_at=Max("sign_ins__seen_at"))
        .select_related("given_password")
        .prefetch_related("groups", "sign_ins")
        .order_by("-is_active", Lower("username"))[:SHOWN]
    )
    return [
        PersonRow(
            user,
            role_of(user),
            user.seen_at or user.last_login,
            len(user.sign_ins.all()),
            hasattr(user, "given_password"),
        )
        for user in users
    ]


def list_sessions(user: User, key: str | None) -> list[SessionRow]:
    """Of one person; `key` is the session of the page that is read. One query."""
    return [SessionRow(each, each.session_id == key) for each in sessions_of(user)[:SHOWN]]
