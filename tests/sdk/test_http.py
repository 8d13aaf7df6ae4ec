"""HTTP as servers and proxies really speak it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from featurememory.sdk.http import HttpConnection, HttpError, ServerAddress


@contextmanager
def server_saying(*answers: bytes) -> Iterator[ServerAddress]:
    """Each connection gets one answer to its first request, and is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for each in answers:
                connection, _ = listening.accept()
                with connection:
                    received = b""
                    while b"\r\n\r\n" not in received:
                        received += connection.recv(65_536)
                    connection.sendall(each)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield ServerAddress(False, "127.0.0.1", listening.getsockname()[1], "")
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\ncontent-length:5\n\nhello",
    ],
)
def test_every_way_to_send_a_body_is_understood(answer: bytes) -> None:
    with server_saying(answer) as address:
        response = HttpConnection(address, 5).request("GET", "/", {})
    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(300)),
    ],
)
def test_what_is_no_http_is_an_error_and_nothing_else(answer: bytes) -> None:
    with server_saying(answer) as address, pytest.raises((HttpError, ConnectionError)):
        HttpConnection(address, 5).request("GET", "/", {})


def test_lines_of_a_stream_arrive_whole_however_they_are_cut() -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in b"data: a\r\n\ndata: b\n\n")
    with server_saying(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    ) as address:
        status, lines = HttpConnection(address, 5).stream("/", {})
        assert (status, list(lines)) == (200, [b"data: a", b"", b"data: b", b""])


def test_an_end_during_connecting_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = HttpConnection(ServerAddress(False, "127.0.0.1", listening.getsockname()[1], ""), 60)
        connect = socket.create_connection

        def connect_and_end(*args: Any) -> socket.socket:
            connected = connect(*args)
            connection.end()
            return connected

        monkeypatch.setattr(socket, "create_connection", connect_and_end)
        with pytest.raises(HttpError, match="ended"):
            connection.stream("/", {})
        with pytest.raises(HttpError, match="ended"):
            connection.request("GET", "/", {})
