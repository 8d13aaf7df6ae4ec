"""Opening breakers of a running server, over its API."""

from __future__ import annotations

from datetime import UTC, datetime
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
