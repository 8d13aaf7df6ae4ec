"""The pages of who is told, with channels that work and channels that do not, as administrators see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.planning import plan_deliveries
from featurememory.models import AlertChannel
from tests.alerts.rows import alert, channel, over, route, webhook
from tests.alerts.sink import running_sink
from tests.browser.conftest import Ear
from tests.browser.test_every_page import _inspect
from tests.servers import free_port


def told(now: datetime, url: str) -> AlertChannel:
    """One channel takes what it is told, one does not, one is off; the first."""
    pager = webhook(now, f"{url}/hooks/team", "Team pager")
    boss = channel(now, "On-call manager", "slack", url=f"http://127.0.0.1:{free_port()}/services/T0/B0/x")
    off = channel(now, "Mail", "email", host="mail.example.com", port=587, security="starttls", user="memory",
                  password="a-password", sender="memory@example.com", recipients=["team@example.com"])  # fmt: skip
    AlertChannel.objects.filter(pk=off.pk).update(is_enabled=False)
    route(pager, severities=["critical"], group_by=["breaker"], escalate_after_s=600, escalate_to=boss)
    route(boss, position=1, matchers=[{"name": "model", "operator": "=~", "value": "whisper.*"}])
    row = alert(now, "Breaker open")
    alert(now, "Slow transcriptions", severity="warning", labels={"model": "whisper-large-v3"})
    plan_deliveries(now)
    deliver_due(now)
    over(row, now)
    plan_deliveries(now + timedelta(minutes=2))
    deliver_due(now + timedelta(minutes=2))
    return pager


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_channels_are_accessible_silent_and_fit_every_width(
    situation: Callable[[str], None],
    context_of: Callable[..., BrowserContext],
    settings: Any,
    now: datetime,
    theme: str,
) -> None:
    situation("empty")
    settings.CONFIGURATION = replace(settings.CONFIGURATION, private_targets=("127.0.0.1",))
    with running_sink() as sink:
        row = told(now, sink.url)
        page = context_of("admin", color_scheme=theme).new_page()
        ear = Ear(page)
        for path in (
            "/alerts/channels/",
            *(f"/alerts/channels/add/{kind}/" for kind in AlertChannel.Kind.values),
            *(f"/alerts/channels/{row.pk}/{act}/" for act in ("change", "delete", "test")),
            "/alerts/routes/add/",
            f"/alerts/routes/{row.routes.get().pk}/change/",
        ):
            _inspect(page, ear, path)


def test_a_test_is_sent_with_the_keyboard_and_its_answer_has_the_focus(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], settings: Any, now: datetime
) -> None:
    situation("empty")
    settings.CONFIGURATION = replace(settings.CONFIGURATION, private_targets=("127.0.0.1",))
    with running_sink() as sink:
        row = webhook(now, sink.url)
        page = context_of("admin", java_script_enabled=False).new_page()
        page.goto(f"/alerts/channels/{row.pk}/test/")
        page.get_by_label("Reason").fill("is it alive")
        page.get_by_role("button", name="Send test").press("Enter")

        page.get_by_text("It took the test.").wait_for()

    assert len(sink.posts) == 1
