"""A real HTTP server that takes what is posted to it, or does not."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = tuple[int, dict[str, str], bytes]
TAKEN: Reply = (200, {}, b"ok")


@dataclass
class Sink:
    url: str
    port: int
    posts: list[Post] = field(default_factory=list)
    answer: Callable[[Post], Reply] = lambda post: TAKEN

    @property
    def ids(self) -> list[str]:
        return [each.headers["X-FeatureMemory-Delivery"] for each in self.posts]


@contextmanager
def running_sink(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Sink]:
    sink = Sink("", 0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            post = Post(self.path, dict(self.headers.items()), body)
            sink.posts.append(post)
            status, headers, text = sink.answer(post)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign, misc]
    sink.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    sink.url = f"http{'s' if tls else ''}://127.0.0.1:{sink.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
