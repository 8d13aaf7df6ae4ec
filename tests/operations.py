"""Operations to send and to store, with only what matters to a test spelled out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.test import Client

from featurememory.ingestion.operations import Operation, check_operation
from featurememory.ingestion.receive import Intake

URL = "/api/v1/operations"


def operation_json(**changes: Any) -> dict[str, Any]:
    """An operation as its caller writes it."""
    return {
        "id": str(uuid4()),
        "operation_type": "text_to_audio",
        "model": "audioldm",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_ms": 12.5,
        "outcome": "success",
    } | changes


def operation(**changes: Any) -> Operation:
    """An operation as ingestion holds it once it was accepted."""
    checked = check_operation(operation_json(**changes), datetime.now(UTC), _AGES)
    assert isinstance(checked, Operation), checked
    return checked


_AGES = datetime.now(UTC) - datetime(2000, 1, 1, tzinfo=UTC)


def batch(*operations: dict[str, Any], **members: Any) -> bytes:
    """The body of a request."""
    return json.dumps({"operations": list(operations), **members}).encode()


def post(client: Client, key: str, body: bytes, **headers: str) -> Any:
    return client.post(URL, body, "application/json", headers={"Authorization": f"Bearer {key}"} | headers)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def store(intake: Intake, *operations: Operation) -> None:
    """Hands operations to the writer and waits until they are on disk."""
    from featurememory.ingestion.transaction import Submission

    intake.writer.submit(Submission(operations)).result(30)
