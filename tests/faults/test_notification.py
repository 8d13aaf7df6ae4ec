"""Worker killed, receiver away: each event is told under one id, and none is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.alerts.rows import SECRET
from tests.alerts.sink import TAKEN, Reply, running_sink
from tests.alerts.test_notify import SET_UP
from tests.servers import running_server, wait_until

ALERTS, KILLS = 6, 3
EACH_BY_ITSELF = 'AlertRoute.objects.update(group_by=["alertname"])'
AWAY: Reply = (503, {}, b"away")


def test_each_event_is_told_once_through_kills_and_outages(
    tmp_path: Path, database_environment: dict[str, str]
) -> None:
    begun = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()

    def told() -> Counter[str]:
        """How many ids each alert's beginning was taken under."""
        ids = {
            (alert["labels"]["alertname"], each.headers["X-FeatureMemory-Delivery"])
            for each in taken
            for alert in each.json["alerts"]
        }
        return Counter(name for name, _ in ids)

    taken = []
    with (
        running_sink() as sink,
        running_server(
            tmp_path / "server", FEATUREMEMORY_PRIVATE_TARGETS="127.0.0.0/8", **database_environment
        ) as server,
    ):
        key = server.create_key("ingest")
        server.manage("shell", "-v", "0", "-c", SET_UP.format(url=sink.url, secret=SECRET) + EACH_BY_ITSELF)

        def answer(post: object) -> Reply:
            if len(sink.posts) % 3 == 1:  # away for the first and for every third
                return AWAY
            taken.append(post)
            return TAKEN

        sink.answer = answer
        for number in range(ALERTS):
            alert = {"status": "firing", "labels": {"alertname": f"Alert {number}"}, "startsAt": begun}
            body = {"version": "4", "alerts": [alert]}
            assert server.request("POST", "/api/v1/alerts/alertmanager", body, key=key)[0] == 200
            if number % 2 == 0 and number // 2 < KILLS:
                seen = len(sink.posts)
                wait_until(lambda seen=seen: len(sink.posts) > seen, "a message", 150)
                os.kill(server.child_pids()[1], signal.SIGKILL)
        wait_until(lambda: len(told()) == ALERTS, "all of them told", 200)

    assert set(told().values()) == {1}
