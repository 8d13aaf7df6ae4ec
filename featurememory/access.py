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
MAX_HEADER = 200
"""Characters of an Authorization header that are looked at. With a key of ours it has 53; the server in front sets
no limit, and nobody has shown a key yet."""
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


class _Answers:
    """What was found for the keys asked for last, by digest; the oldest leave first, and what has expired."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[str, tuple[float, Caller | None]] = {}
        self._lock = threading.Lock()

    def get(self, digest: str) -> tuple[bool, Caller | None]:
        expires_at, caller = self._found.get(digest, (0.0, None))
        return expires_at > self._clock(), caller

    def put(self, digest: str, caller: Caller | None) -> None:
        now = self._clock()
        with self._lock:
            self._found.pop(digest, None)
            self._found[digest] = now + TRUSTED_FOR_S, caller
            while len(self._found) > _REMEMBERED or next(iter(self._found.values()))[0] <= now:
                del self._found[next(iter(self._found))]

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


class KeyRing:
    """Looks keys up by their hash and remembers the answer for two seconds; thread-safe.

    Wrong keys have a memory of their own: however many are tried, the good ones stay known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._good = _Answers(clock)
        self._wrong = _Answers(clock)
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def remembered(self, authorization: str) -> tuple[bool, Caller | None]:
        """(whether the answer is known without asking the database, the answer)."""
        digest = _digest(authorization)
        if digest is None:
            return True, None
        known, caller = self._good.get(digest)
        if not known or caller is None:
            return self._wrong.get(digest)
        self._used.add(caller.key_id)
        return True, caller

    def caller(self, authorization: str) -> Caller | None:
        """Who sent the header `authorization` ("Bearer fm_..."); None when no live key fits."""
        known, caller = self.remembered(authorization)
        digest = _digest(authorization)
        if known or digest is None:
            return caller
        row = ApiKey.objects.filter(digest=digest, revoked_at=None).first()
        if row is None:
            self._wrong.put(digest, None)
            return None
        caller = Caller(row.pk, row.name, frozenset(row.scopes))
        self._good.put(digest, caller)
        with self._lock:
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
        self._good.clear()
        self._wrong.clear()


KEYS = KeyRing()


def _digest(authorization: str) -> str | None:
    """The digest of the key in the header; None when there is none in it."""
    if len(authorization) > MAX_HEADER:
        return None
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    return ApiKey.digest_of(key) if key and scheme.lower() == "bearer" else None


def create_api_key(name: str, scopes: list[str], now: datetime | None = None) -> tuple[ApiKey, str]:
    """A stored key and its text, which is shown this once."""
    row, key = ApiKey.drawn(name, scopes, created_at=now or datetime.now(UTC))
    row.full_clean()
    row.save()
    return row, key
