"""Plain-text e-mail by SMTP, to a checked address."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from featurememory.alerts.messages import Answer, Message, lines_of, subject_of
from featurememory.alerts.targets import Target, connect, cut_off, resolve

WITHIN_S = 10.0
LONGEST_S = 30.0
"""Signing in, and a recipient at a time, take more than one answer."""


def send(message: Message, settings: Mapping[str, Any], allowed: Sequence[str]) -> Answer:
    target = resolve(settings["host"], settings["port"], allowed, "host")
    backend = _Checked(target, settings)
    mail = EmailMessage(
        subject=subject_of(message),
        body=text_of(message),
        from_email=settings["sender"],
        to=settings["recipients"],
        headers=_headers(message, settings["sender"]),
        connection=backend,
    )
    try:
        backend.open()
        connected = None if backend.connection is None else backend.connection.sock
        with cut_off(connected, LONGEST_S):
            sent = mail.send()
    except smtplib.SMTPRecipientsRefused as refused:
        return Answer(False, error=f"No recipient was accepted: {_replies(refused)}")
    except smtplib.SMTPResponseException as refused:
        return Answer(
            False, refused.smtp_code, error=f"It answered {refused.smtp_code}: {_text(refused.smtp_error)}"
        )
    finally:
        backend.close()
    return Answer(sent == 1, 250, f"Accepted for {len(settings['recipients'])} recipients.")


def text_of(message: Message) -> str:
    lines = lines_of(message)
    runbooks = dict.fromkeys(each["runbook_url"] for each in message.firing if each["runbook_url"])
    lines += ["", *(f"Runbook: {url}" for url in runbooks)] if runbooks else []
    return "\n".join([*lines, "", f"{message.address}/alerts/", ""])


def _headers(message: Message, sender: str) -> dict[str, str]:
    """Those of a machine's letter, and the group's thread. The id is the same at each attempt."""
    domain = sender.rpartition("@")[2]
    headers = {
        "Message-ID": f"<{message.id}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-FeatureMemory-Delivery": message.id,
        "Idempotency-Key": message.id,
    }
    if message.group_key:
        headers["References"] = f"<group-{message.group_key}@{domain}>"
    return headers


class _Checked(EmailBackend):
    """Connects to an address that was checked, whatever the name would say now."""

    def __init__(self, target: Target, settings: Mapping[str, Any]) -> None:
        super().__init__(
            host=target.host,
            port=target.port,
            username=settings["user"],
            password=settings["password"],
            use_tls=settings["security"] == "starttls",
            use_ssl=settings["security"] == "tls",
            timeout=WITHIN_S,
            fail_silently=False,
        )
        self._target = target

    @property
    def connection_class(self) -> Any:
        target = self._target

        class Plain(smtplib.SMTP):
            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                return connect(target, timeout)

        class Wrapped(smtplib.SMTP_SSL):
            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                return self.context.wrap_socket(connect(target, timeout), server_hostname=target.host)

        return Wrapped if self.use_ssl else Plain


def _replies(refused: smtplib.SMTPRecipientsRefused) -> str:
    return "; ".join(f"{who}: {code} {_text(said)}" for who, (code, said) in refused.recipients.items())


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
