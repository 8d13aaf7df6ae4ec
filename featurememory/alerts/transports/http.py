"""One POST to a checked address: no redirect, no proxy, ten seconds in all."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from featurememory.alerts.channels import host_and_port, web_address
from featurememory.alerts.messages import Answer
from featurememory.alerts.targets import Target, connect, cut_off, resolve

WITHIN_S = 10.0
MAX_ANSWER = 2_000


class _Checked(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever the name would say now."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=WITHIN_S)
        self._target, self._tls = target, tls
        self.default_port = 443 if tls else 80  # so that the Host header names the port where it is another

    def connect(self) -> None:
        self.sock = connect(self._target, WITHIN_S)
        self.sock.settimeout(WITHIN_S)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._target.host)


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[str]) -> Answer:
    """What the receiver said; OSError and HTTPException where it said nothing."""
    return request("POST", url, body, headers, allowed)


def request(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], allowed: Sequence[str]
) -> Answer:
    parts = web_address(url)
    host, port = host_and_port("webhook", {"url": url})
    target = resolve(host, port, allowed)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    connection = _Checked(target, tls)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        with cut_off(connection.sock, WITHIN_S):
            connection.request(method, path, body, {"User-Agent": "FeatureMemory", **headers})
            answer = connection.getresponse()
            text = answer.read(MAX_ANSWER).decode(errors="replace")
    finally:
        connection.close()
    is_taken = 200 <= answer.status < 300
    error = "" if is_taken else f"It answered {answer.status} {answer.reason}."
    if 300 <= answer.status < 400:
        error = f"It answered {answer.status}: redirects are not followed; give the address that it leads to."
    return Answer(is_taken, answer.status, text, error, _retry_after(answer.getheader("Retry-After")))


def _retry_after(header: str | None) -> float | None:
    """Seconds, from a number or a date."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(min(int(header.strip()[:9]), 86_400))
    try:
        wait = (parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), 86_400.0)
