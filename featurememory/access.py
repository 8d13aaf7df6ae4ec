"""Who a bearer key belongs to, and what it may do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from featurememory.models import ApiKey

TRUSTED_FOR_S = 2.0
"""How long a key that was looked up is taken for good: a revoked one works on for as long."""
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request."""

    key_id: int
    name: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How the caller is named in audit rows."""
        return f"key {self.name}"


class KeyRing:
    """Looks keys up by their hash and remembers the answer for two seconds; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Caller | None]] = {}
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def remembered(self, authorization: str) -> tuple[bool, Caller | None]:
        """(whether the answer is known without asking the database, the answer)."""
        known = self._known.get(authorization)
        if known is None or known[0] < self._clock():
            return False, None
        if known[1] is not None:
            self._used.add(known[1].key_id)
        return True, known[1]

    def caller(self, authorization: str) -> Caller | None:
        """Who sent the header `authorization` ("Bearer fm_..."); None when no live key fits."""
        known, caller = self.remembered(authorization)
        if known:
            return caller
        scheme, _, key = authorization.partition(" ")
        caller = None
        if scheme.lower() == "bearer" and key:
            row = ApiKey.objects.filter(digest=ApiKey.digest_of(key.strip()), revoked_at=None).first()
            caller = None if row is None else Caller(row.pk, row.name, frozenset(row.scopes))
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[authorization] = (self._clock() + TRUSTED_FOR_S, caller)
            if caller is not None:
                self._used.add(caller.key_id)
        return caller

    def note_use(self) -> None:
        """Writes down when the keys seen since the last call were used, to the minute."""
        with self._lock:
            used, self._used = self._used, set()
        if used:
            now = timezone.now()
            stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(minutes=1))
            ApiKey.objects.filter(stale, pk__in=used).update(last_used_at=now)

    def forget(self) -> None:
        """Asks the database again for every key."""
        with self._lock:
            self._known.clear()


KEYS = KeyRing()


def create_api_key(name: str, scopes: list[str]) -> tuple[ApiKey, str]:
    """A stored key and its text, which is shown this once."""
    row, key = ApiKey.drawn(name, scopes, created_at=datetime.now(UTC))
    row.full_clean()
    row.save()
    return row, key
