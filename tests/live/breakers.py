"""Opening breakers of a running server, over its API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.servers import RunningServer


def open_breaker(server: RunningServer, key: str, model: str = "whisper") -> str:
    """Reports five failures in a row; gives the breaker's name."""
    operations = [
        {
            "id": str(uuid4()),
            "operation_type": "transcription",
            "model": model,
            "started_at": datetime.now(UTC).isoformat(),
            "duration_ms": 5,
            "outcome": "error",
        }
        for _ in range(5)
    ]
    status, _, answer = server.request("POST", "/api/v1/operations", {"operations": operations}, key=key)
    assert (status, answer["accepted"]) == (200, 5)
    return f"transcription:{model}"


def act(server: RunningServer, key: str, name: str, action: str, reason: str = "a test") -> None:
    status, _, answer = server.request(
        "POST", f"/api/v1/breakers/{name}/{action}", {"reason": reason}, key=key
    )
    assert status == 200, answer


def propagation(server: RunningServer, name: str) -> tuple[int, int, float | None, list[str]]:
    """(connected, applied, slowest in ms, who has not) of the breaker's newest event."""
    connected, applied, slowest_ms, waiting = json.loads(
        server.manage("shell", "-v", "0", "-c", _PROPAGATION % name)
    )
    return connected, applied, slowest_ms, waiting


def applied_everywhere(server: RunningServer, name: str) -> Any:
    """What `propagation` gives, once nobody is waited for."""
    found = propagation(server, name)
    return found if found[0] == found[1] else None


_PROPAGATION = """
import json
from django.utils import timezone
from featurememory.live.followers import connected_followers, propagation_of
from featurememory.models import BreakerEvent
event = BreakerEvent.objects.filter(name="%s").order_by("-sequence").first()
found = propagation_of(event, connected_followers(timezone.now()))
print(json.dumps([found.connected, found.applied, found.slowest_ms, list(found.waiting)]))
"""
