"""What only one transaction of the whole installation may do at a time."""

from __future__ import annotations

from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """PostgreSQL's numbers for them."""

    SERIES = 0x5E71E5
    BREAKERS = 0xB2EAE2
    SPACES = 0x5FACE5
    STUDIES = 0x57D1E5
    HEALTH = 0x4EA174
    VALIDATIONS = 0x7A11D5
    ALERTS = 0xA1E275
    NOTIFICATION = 0x4071F1
    ANNOTATIONS = 0xA2207E
    PEOPLE = 0x9E0B1E


def be_alone_with(lock: Lock) -> None:
    """Waits for it, and holds it until the caller's transaction ends. SQLite's writers are alone anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(lock)])
