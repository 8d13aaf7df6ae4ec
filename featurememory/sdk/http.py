"""HTTP/1.1 to one server, on a connection that is kept.

`http.client` would bring the e-mail and TLS packages into every host: 4 MB more. TLS is loaded for https
only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from featurememory.errors import ConfigurationError

_MAX_LINE = 65_536
_MAX_HEADERS = 200
_MAX_BODY = 16 * 1024 * 1024


class HttpError(OSError):
    """What came back is not HTTP as we know it, or ended too early."""


class ServerAddress(NamedTuple):
    """Where the server is; `path` is what comes before /api."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> ServerAddress:
        """ConfigurationError where `url` is not http(s)://host[:port][/path]."""
        scheme, separator, rest = url.partition("://")
        place, _, path = rest.partition("/")
        bracket = place.find("]")
        colon = place.rfind(":")
        host, port = (place[:colon], place[colon + 1 :]) if colon > bracket else (place, "")
        number = port or ("443" if scheme == "https" else "80")
        known = separator and scheme in ("http", "https") and host and "@" not in place and number.isdigit()
        if not known or not 0 < int(number) < 65_536 or not (host + path).isprintable() or " " in url:
            raise ConfigurationError(
                f"url = {url!r} is not possible: give http://host:port or https://host.", field="url"
            )
        return cls(scheme == "https", host.strip("[]"), int(number), f"/{path}".rstrip("/"))

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def path_part(text: str) -> str:
    """`text` as one part of a path (RFC 3986, 2.1)."""
    return "".join(
        chr(byte) if byte < 0x80 and (chr(byte).isalnum() or chr(byte) in "-_~") else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


class Response(NamedTuple):
    """Status, headers by lower-case name, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpConnection:
    """Requests one after the other, from one thread; OSError where the server cannot be reached or
    understood."""

    def __init__(self, address: ServerAddress, timeout_s: float) -> None:
        """`timeout_s` bounds connecting and every wait for data."""
        self._address = address
        self._timeout_s = timeout_s
        self._begin()

    def _begin(self) -> None:
        self._socket: socket.socket | None = None
        self._file: BinaryIO | None = None
        self._ended = False

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """The answer. A kept connection that the server has closed meanwhile is opened anew, once."""
        reused = self._socket is not None
        try:
            return self._exchange(method, path, headers, body)
        except TimeoutError:
            self.close()
            raise
        except OSError:
            self.close()
            if not reused:
                raise
        try:
            return self._exchange(method, path, headers, body)
        except OSError:
            self.close()
            raise

    def stream(self, path: str, headers: Mapping[str, str]) -> tuple[int, Iterator[bytes]]:
        """(status, lines as they arrive) of a GET on a connection of its own."""
        self.close()
        file = self._send("GET", path, headers, b"")
        status, answer = _read_head(file)
        return status, _lines(_pieces(file, answer))

    def wait_at_most(self, seconds: float) -> None:
        """For each piece of data, from now on."""
        self._timeout_s = seconds
        if (connection := self._socket) is not None:
            connection.settimeout(seconds)

    def end(self) -> None:
        """For good, and from another thread: whatever waits for data gets an error, also one that is only
        about to connect."""
        self._ended = True
        self.close()

    def close(self) -> None:
        """The next request connects anew."""
        connection, self._socket, self._file = self._socket, None, None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def abandon(self) -> None:
        """In a forked child: the connection is the parent's, so it is not shut down. The child's copy of it is
        closed by hand, since the parent's thread, which is here for ever in the middle of its call, holds it;
        while it was open, the server would not see the parent end."""
        connection = self._socket
        self._begin()
        if connection is not None:
            with suppress(OSError):
                os.close(connection.detach())

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        file = self._send(method, path, headers, body)
        status, answer = _read_head(file)
        received = bytearray()
        for piece in _pieces(file, answer):
            received += piece
            if len(received) > _MAX_BODY:
                raise HttpError("the answer is too large")
        if answer.get("connection", "").lower() == "close" or _until_closed(answer):
            self.close()
        return Response(status, answer, bytes(received))

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> BinaryIO:
        address = self._address
        lines = [f"{method} {address.path}{path} HTTP/1.1", f"Host: {address.host_header}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        connection, file = self._connected()
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        return file

    def _connected(self) -> tuple[socket.socket, BinaryIO]:
        if self._ended:
            raise HttpError("the connection was ended")
        if self._socket is None or self._file is None:
            connection = socket.create_connection((self._address.host, self._address.port), self._timeout_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._address.secure:
                connection = _with_tls(connection, self._address.host)
            self._socket, self._file = connection, connection.makefile("rb")
            if self._ended:
                self.close()
                raise HttpError("the connection was ended while it was made")
            return connection, self._file
        return self._socket, self._file


def _with_tls(connection: socket.socket, host: str) -> socket.socket:
    import ssl  # 3 MB, for https only

    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _read_head(file: BinaryIO) -> tuple[int, dict[str, str]]:
    while True:
        status = _read_status(file)
        headers: dict[str, str] = {}
        while line := _read_line(file):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > _MAX_HEADERS:
                raise HttpError("the answer has too many headers")
        if status >= 200:
            return status, headers


def _read_status(file: BinaryIO) -> int:
    line = _read_line(file)
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise HttpError(f"the answer does not begin like HTTP: {line[:50]!r}")
    return int(rest[:3])


def _read_line(file: BinaryIO) -> str:
    line = file.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise HttpError("the server closed the connection" if len(line) < _MAX_LINE else "a line is too long")
    return line.rstrip(b"\r\n").decode("latin-1")


def _until_closed(headers: Mapping[str, str]) -> bool:
    return "content-length" not in headers and "transfer-encoding" not in headers


def _pieces(file: BinaryIO, headers: Mapping[str, str]) -> Iterator[bytes]:
    """The body, piece by piece as it arrives (RFC 9112, 6 and 7.1)."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := _chunk_size(file):
            yield _read_exactly(file, size)
            _read_line(file)
        while _read_line(file):
            pass
    elif _until_closed(headers):
        while piece := file.readline(_MAX_LINE):
            yield piece
    else:
        length = headers["content-length"]
        if not length.isdigit() or int(length) > _MAX_BODY:
            raise HttpError(f"Content-Length: {length[:20]} is not possible")
        yield _read_exactly(file, int(length))


def _chunk_size(file: BinaryIO) -> int:
    text = _read_line(file).partition(";")[0].strip()
    try:
        size = int(text, 16)
    except ValueError:
        size = -1
    if not 0 <= size <= _MAX_BODY:
        raise HttpError(f"the answer has a chunk of size {text[:20]!r}")
    return size


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise HttpError("the server closed the connection in the middle of an answer")
    return data


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > _MAX_BODY:
            raise HttpError("a line is too long")
        for line in whole:
            yield line.rstrip(b"\r")
