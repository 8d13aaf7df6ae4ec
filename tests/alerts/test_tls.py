"""Encrypted receivers are believed by their certificates, and slow ones are not waited for."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from featurememory.alerts.messages import Answer, Message
from featurememory.alerts.transports import send
from tests.alerts.rows import SECRET
from tests.alerts.sink import Sink, running_sink
from tests.servers import free_port, program

ALLOWED = ("127.0.0.1",)
MAIL = {
    "host": "127.0.0.1",
    "sender": "memory@example.com",
    "recipients": ["anna@example.com"],
    "user": "memory",
    "password": "a-good-password",
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """For 127.0.0.1, signed by itself."""
    place = tmp_path_factory.mktemp("tls")
    key, file = place / "key.pem", place / "certificate.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", key, "-out", file, "-subj", "/CN=sink", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


@pytest.fixture
def https(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[Sink]:
    with running_sink(tls=certificate[1]) as sink:
        yield sink


class Box:
    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(envelope.content)
        return "250 taken"


def message() -> Message:
    return Message("11111111-2222-4333-8444-555555555555", "c", "test", [], datetime.now(UTC), "http://here")


def post(sink: Sink) -> Answer:
    return send("webhook", {"url": sink.url, "secret": SECRET}, message(), ALLOWED)


def test_an_encrypted_receiver_is_told(
    https: Sink, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    assert post(https).is_taken
    assert https.posts[0].headers["Host"] == f"127.0.0.1:{https.port}"


def test_one_whose_certificate_nobody_vouches_for_is_told_nothing(https: Sink) -> None:
    answer = post(https)

    assert not answer.is_taken
    assert "CERTIFICATE_VERIFY_FAILED" in answer.error
    assert not https.posts


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("is_trusted", [True, False])
def test_letters_and_passwords_go_only_where_the_certificate_is_right(
    certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    is_trusted: bool,
) -> None:
    box, port, heard = Box(), free_port(), []

    def signs_in(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        heard.append((data.login, data.password))
        return AuthResult(success=True)

    tls = {"ssl_context": certificate[1], "auth_require_tls": False}
    if security == "starttls":
        tls = {"tls_context": certificate[1], "require_starttls": True}
    controller = Controller(box, hostname="127.0.0.1", port=port, authenticator=signs_in, **tls)
    if is_trusted or security == "tls":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    controller.start()
    try:
        if not is_trusted:
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        answer = send("email", MAIL | {"port": port, "security": security}, message(), ALLOWED)
    finally:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        controller.stop()

    assert answer.is_taken == is_trusted, answer
    assert heard == ([(b"memory", b"a-good-password")] if is_trusted else [])
    assert len(box.letters) == is_trusted


def test_a_receiver_that_answers_byte_by_byte_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featurememory.alerts.transports.http.WITHIN_S", 0.5)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

        answer = send("webhook", {"url": url, "secret": SECRET}, message(), ALLOWED)

        took = time.monotonic() - began
        over.set()
        thread.join(5)
    assert answer.error == "It did not answer in time."
    assert took < 5
