"""An incident played against a running system: one model starts to fail, another becomes slow. The right alerts, and no
others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.servers import RunningServer, wait_until


def _calls(
    model: str, at: datetime, count: int, ms: float = 100.0, outcome: str = "success"
) -> list[dict[str, Any]]:
    failure = {"error_type": "RuntimeError", "error_message": "out of memory"} if outcome == "error" else {}
    return [
        {
            "id": str(uuid4()),
            "operation_type": "text_to_audio",
            "model": model,
            "started_at": (at + timedelta(milliseconds=10 * number)).isoformat(),
            "duration_ms": ms,
            "outcome": outcome,
            **failure,
        }
        for number in range(count)
    ]


def test_the_right_alerts_and_no_others(server: RunningServer) -> None:
    key = server.create_key("ingest", "read", "control")

    def ask(method: str, path: str, body: Any = None) -> Any:
        status, _, answer = server.request(method, f"/api/v1{path}", body, key=key)
        assert status in (200, 201), answer
        return answer

    def send(*calls: list[dict[str, Any]]) -> None:
        ask("POST", "/operations", {"operations": [each for group in calls for each in group]})

    def firing() -> dict[str, Any]:
        return {each["name"]: each for each in ask("GET", "/alerts")["items"]}

    _do_not_wait(ask, "Latency above its last day")
    now = datetime.now(UTC)
    for hours in range(2, 22, 2):
        send(*(_calls(model, now - timedelta(hours=hours), 30) for model in ("audioldm", "musicgen")))
    begun = datetime.now(UTC)
    send(_calls("audioldm", begun, 40), _calls("musicgen", begun, 40))
    wait_until(lambda: _evaluated_since(ask, begun), "an evaluation", 40)
    assert firing() == {}, "all is well"

    send(_calls("audioldm", datetime.now(UTC), 60, outcome="error"))
    send(_calls("musicgen", datetime.now(UTC), 400, ms=900.0))
    wait_until(lambda: len(firing()) >= 3, "the alerts", 60)

    found = firing()
    assert set(found) == {"Breaker open", "Error budget burns", "Latency above its last day"}
    breaker = found["Breaker open"]
    assert (breaker["severity"], breaker["labels"]["breaker"]) == ("critical", "text_to_audio:audioldm")
    assert found["Error budget burns"]["inhibited_by"] == breaker["id"], "the breaker is the answer to it"
    assert found["Latency above its last day"]["labels"]["model"] == "musicgen"

    ask("POST", f"/alerts/{breaker['id']}/acknowledge", {"note": "on it"})
    ask("POST", "/breakers/text_to_audio:audioldm/reset", {"reason": "memory freed"})
    wait_until(lambda: "Breaker open" not in firing(), "its end", 120)


def _do_not_wait(ask: Any, name: str) -> None:
    rule = next(each for each in ask("GET", "/alert-rules")["items"] if each["name"] == name)
    values = {field: rule[field] for field in rule if field in _VALUES} | {"for_s": 0}
    ask("PUT", f"/alert-rules/{rule['id']}", values | {"version": rule["version"], "reason": "a test"})


_VALUES = (
    *("name", "kind", "signal", "condition", "matchers", "keep_firing_for_s", "no_data", "severity"),
    *("labels", "summary", "description", "runbook_url", "is_enabled"),
)


def _evaluated_since(ask: Any, begun: datetime) -> bool:
    times = [each["evaluated_at"] for each in ask("GET", "/alert-rules")["items"]]
    return all(at is not None and datetime.fromisoformat(at) > begun for at in times)
