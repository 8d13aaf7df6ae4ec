"""E-mail, to a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from featurememory.alerts.delivering import LEASE, deliver_due, lease_next
from featurememory.alerts.planning import plan_deliveries
from featurememory.models import AlertDelivery
from tests.alerts.rows import alert, channel, over, route
from tests.servers import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("local_targets")]


class Postbox:
    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refuses = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 taken"


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    box, port = Postbox(), free_port()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *_: AuthResult(success=False),
        auth_require_tls=False,
    )
    controller.start()
    yield box, port
    controller.stop()


def mailbox(now: datetime, port: int, **changes: Any) -> Any:
    given = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "user": "",
        "password": "",
        "sender": "memory@example.com",
        "recipients": ["anna@example.com", "bert@example.com"],
    }
    return channel(now, "mail", "email", **given | changes)


def test_a_letter_says_what_fires_and_where_to_look(postbox: tuple[Postbox, int], now: datetime) -> None:
    box, port = postbox
    route(mailbox(now, port))
    alert(now, "Queue full", summary="The queue is 95 % full\r\nBcc: eve@example.com")
    plan_deliveries(now)

    deliver_due(now)

    (letter,) = box.letters
    row = AlertDelivery.objects.get()
    assert row.state == "delivered", row.error
    assert letter["Subject"] == "Critical: Queue full"
    assert letter["To"] == "anna@example.com, bert@example.com"
    assert letter["Bcc"] is None
    assert letter["Message-ID"] == f"<{row.pk}@example.com>"
    assert letter["X-FeatureMemory-Delivery"] == str(row.pk)
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content()
    assert "[critical] Queue full: The queue is 95 % full" in text
    assert "Runbook: https://runbooks.example.com/breakers" in text


def test_sent_again_it_has_the_same_message_id_and_the_end_is_in_its_thread(
    postbox: tuple[Postbox, int], now: datetime
) -> None:
    box, port = postbox
    to = mailbox(now, port)
    route(to)
    row = alert(now)
    plan_deliveries(now)
    deliver_due(now)
    AlertDelivery.objects.update(state="waiting")
    assert lease_next(to, now) is not None
    deliver_due(now + LEASE)
    over(row, now + timedelta(minutes=2))
    plan_deliveries(now + timedelta(minutes=2))
    deliver_due(now + timedelta(minutes=2))

    first, again, end = box.letters
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["References"] == end["References"]
    assert end["Subject"] == "Resolved: Breaker open"


def test_what_the_server_refuses_is_said_and_tried_again(postbox: tuple[Postbox, int], now: datetime) -> None:
    box, port = postbox
    box.refuses = "550 no such mailbox"
    route(mailbox(now, port))
    alert(now)
    plan_deliveries(now)

    deliver_due(now)

    row = AlertDelivery.objects.get()
    assert row.state == "waiting"
    assert "550 no such mailbox" in row.error


def test_without_the_encryption_that_is_asked_for_nothing_is_sent(
    postbox: tuple[Postbox, int], now: datetime
) -> None:
    box, port = postbox
    route(mailbox(now, port, security="starttls", user="anna", password="hunter2hunter2"))
    alert(now)
    plan_deliveries(now)

    deliver_due(now)

    row = AlertDelivery.objects.get()
    assert (row.state, box.letters) == ("waiting", [])
    assert "STARTTLS" in row.error
    assert "hunter2" not in row.error
