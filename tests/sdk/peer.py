"""A small server that speaks our API: it counts each operation once, and can misbehave."""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Condition, Thread
from time import monotonic
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
Behaviour = Callable[[list[dict[str, Any]]], Answer]


@dataclass
class Request:
    at: float
    headers: dict[str, str]
    operations: list[dict[str, Any]]
    source: dict[str, Any]


@dataclass
class Peer:
    """`next_behaviours` answer the next requests, one each; after them everything is accepted."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    next_behaviours: deque[Behaviour] = field(default_factory=deque)
    stream_requests: list[dict[str, str]] = field(default_factory=list)
    streams: list[Queue[bytes | None]] = field(default_factory=list)
    opening: Callable[[str], bytes] = lambda _last_event_id: event(
        "snapshot", {"sequence": 0, "breakers": []}, 0
    )
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(path below /api/v1, body) of everything but operations."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """How such a path is answered; 204 where nothing is said."""
    changed: Condition = field(default_factory=Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 10) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), "it did not happen in time"

    def accept(self, operations: list[dict[str, Any]]) -> Answer:
        with self.changed:
            fresh = [each for each in operations if each["id"] not in self.operations]
            self.operations.update({each["id"]: each for each in fresh})
        return answer(
            200, {"accepted": len(fresh), "duplicates": len(operations) - len(fresh), "rejected": []}
        )

    def tell(self, data: bytes | None) -> None:
        """Sends `data` to all streams; None ends them."""
        for stream in self.streams:
            stream.put(data)


def answer(status: int, body: Any, **headers: str) -> Answer:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps(body).encode(),
    )


def always(status: int, body: Any = None, **headers: str) -> Behaviour:
    return lambda _: answer(status, body or {"title": f"status {status}"}, **headers)


def event(kind: str, data: Any, sequence: int | None = None) -> bytes:
    identity = "" if sequence is None else f"id: {sequence}\n"
    return f"{identity}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@contextmanager
def running_peer(port: int = 0) -> Iterator[Peer]:
    peer = Peer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            batch = json.loads(body)
            if not self.path.endswith("/operations"):
                self._hear(self.path.removeprefix("/api/v1"), batch)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            with peer.changed:
                peer.requests.append(Request(monotonic(), headers, batch["operations"], batch["source"]))
                behave = peer.next_behaviours.popleft() if peer.next_behaviours else peer.accept
            self._answer(*behave(batch["operations"]))
            with peer.changed:
                peer.changed.notify_all()

        def _hear(self, path: str, body: dict[str, Any]) -> None:
            with peer.changed:
                peer.said.append((path, body))
                answered = peer.answers.get(path, (204, {}, b""))
                peer.changed.notify_all()
            self._answer(*answered)

        def _answer(self, status: int, extra: dict[str, str], text: bytes) -> None:
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            messages: Queue[bytes | None] = Queue()
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with peer.changed:  # first of all: what is told from the opening on goes to this stream, too
                peer.streams.append(messages)
            self._send_chunk(peer.opening(self.headers.get("Last-Event-ID", "")))
            with peer.changed:
                peer.stream_requests.append({name.lower(): value for name, value in self.headers.items()})
                peer.changed.notify_all()
            while (message := messages.get()) is not None:
                self._send_chunk(message)
            self.close_connection = True

        def _send_chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that leave in the middle are part of the tests

    server = Server(("127.0.0.1", port), Handler)
    peer.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.tell(None)
        server.shutdown()
        server.server_close()
        thread.join(10)
