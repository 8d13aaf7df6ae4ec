"""The job: every step is taken, and on a running server an alert goes all the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from featurememory.alerts import notification
from tests.alerts.rows import SECRET
from tests.alerts.sink import Sink, running_sink
from tests.servers import running_server, wait_until

SET_UP = """
from django.utils import timezone
from featurememory.models import AlertChannel, AlertRoute
now = timezone.now()
to = AlertChannel.objects.create(
    name="pager", kind="webhook", settings={{"url": "{url}", "secret": "{secret}"}},
    created_at=now, created_by="t", changed_at=now, changed_by="t",
)
AlertRoute.objects.create(channel=to, group_wait_s=0, group_interval_s=5)
"""


@pytest.fixture
def pager() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def test_a_step_that_fails_keeps_no_other_from_being_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def broken(now: datetime) -> int:
        raise RuntimeError("no")

    def works(now: datetime) -> int:
        taken.append(now)
        return 1

    monkeypatch.setattr(notification, "STEPS", (broken, works))

    with pytest.raises(RuntimeError):
        notification.notify(datetime.now(UTC))

    assert len(taken) == 1


def test_from_another_alertmanager_to_the_pager(
    tmp_path: Path, database_environment: dict[str, str], pager: Sink
) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=1)

    def say(status: str) -> None:
        alert = {"status": status, "labels": {"alertname": "DiskFull"}, "startsAt": begun.isoformat()}
        answer = server.request(
            "POST", "/api/v1/alerts/alertmanager", {"version": "4", "alerts": [alert]}, key=key
        )
        assert answer[0] == 200

    with running_server(
        tmp_path / "server", FEATUREMEMORY_PRIVATE_TARGETS="127.0.0.0/8", **database_environment
    ) as server:
        key = server.create_key("ingest")
        server.manage("shell", "-v", "0", "-c", SET_UP.format(url=pager.url, secret=SECRET))
        say("firing")
        wait_until(lambda: len(pager.posts) == 1, "the first message")
        say("resolved")
        wait_until(lambda: len(pager.posts) == 2, "the message of its end")

    assert [each.json["status"] for each in pager.posts] == ["firing", "resolved"]
