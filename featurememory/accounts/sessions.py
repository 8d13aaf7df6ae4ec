"""Where people are signed in: noted at the sign-in, kept up to the minute, ended one by one or all at once.

A session ends at once in every process: each request looks it up in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from featurememory.accounts.passwords import has_own_password
from featurememory.models import SignIn

ASKED_TO_CHANGE = "password_was_drawn"
"""In a session: its owner is still to be asked to choose a password."""
SEEN_EVERY_S = 60.0
_REMEMBERED = 1_000


class _Lately:
    """Sessions that were noted within the last minute, so that a page that refreshes itself costs no query more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        return self._until.get(key, 0.0) > self._clock()

    def add(self, key: str) -> None:
        with self._lock:
            self._until.pop(key, None)
            self._until[key] = self._clock() + SEEN_EVERY_S
            while len(self._until) > _REMEMBERED:
                del self._until[next(iter(self._until))]

    def forget(self) -> None:
        with self._lock:
            self._until.clear()


LATELY = _Lately()


def note_sign_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """At Django's signal: the session is there, and is a new one."""
    _note(request, user, timezone.now())
    if not has_own_password(user):
        request.session[ASKED_TO_CHANGE] = True


class SessionMiddleware:
    """Notes once a minute that somebody is there, and ends what was idle for too long."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if key and not LATELY.has(key):
            with suppress(DatabaseError):  # whoever needs the database says so
                see(request, timezone.now())
        return self.get_response(request)


def see(request: HttpRequest, now: datetime) -> None:
    """Notes that the session is in use; signs out where it was not for FEATUREMEMORY_SESSION_IDLE_HOURS."""
    if not request.user.is_authenticated:
        return
    idle = timedelta(hours=settings.CONFIGURATION.session_idle_hours)
    row = SignIn.objects.filter(session=request.session.session_key).first()
    if row is not None and row.seen_at < now - idle:
        logout(request)
        return
    _note(request, request.user, now)


def _note(request: HttpRequest, user: Any, now: datetime) -> None:
    key = request.session.session_key
    if key is None:
        return
    is_from = {
        "address": str(request.META.get("REMOTE_ADDR", ""))[:64],
        "user_agent": request.headers.get("User-Agent", "").replace("\0", "")[:300],
    }
    try:
        with transaction.atomic():
            SignIn.objects.update_or_create(
                session_id=key,
                defaults={"user": user, "seen_at": now, **is_from},
                create_defaults={"user": user, "seen_at": now, "started_at": now, **is_from},
            )
    except IntegrityError:  # it was ended meanwhile
        return
    LATELY.add(key)


def sessions_of(user: User) -> QuerySet[SignIn]:
    """Those that go on, the one used last first."""
    return SignIn.objects.filter(user=user, session__expire_date__gt=timezone.now()).order_by(
        "-seen_at", "-pk"
    )


def end_sessions(user: User, *, but: str | None = None, only: int | None = None) -> int:
    """Signs them out at once; how many. `but` is the session key that goes on, `only` the one sign-in that is meant."""
    rows = SignIn.objects.filter(user=user)
    if but is not None:
        rows = rows.exclude(session_id=but)
    if only is not None:
        rows = rows.filter(pk=only)
    keys = list(rows.values_list("session_id", flat=True))
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def forget_old_sessions(now: datetime) -> None:
    """Those that have run out, or were idle for too long; their rows go with them."""
    idle = timedelta(hours=settings.CONFIGURATION.session_idle_hours)
    Session.objects.filter(expire_date__lt=now).delete()
    Session.objects.filter(sign_in__seen_at__lt=now - idle).delete()
