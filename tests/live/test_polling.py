"""Following the fleet where no stream comes through: behind a proxy that collects an answer before it passes it on."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.http import ServerAddress
from featurememory.sdk.permits import FleetPermits
from featurememory.sdk.reports import Reporter
from featurememory.sdk.stream import Follower
from tests.live.breakers import act, applied_everywhere, open_breaker
from tests.live.events import Stream
from tests.servers import RunningServer, wait_until

ALL = ("ingest", "read", "control")
SILENCE_S = 0.9


class Proxy:
    """Passes whole answers on; what never ends never arrives, unless `passes_on` is set."""

    def __init__(self, server: RunningServer) -> None:
        self.passes_on = Event()
        self.is_down = Event()
        self.asked: list[str] = []
        self._upstream: list[http.client.HTTPConnection] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.asked.append(self.path)
                if proxy.is_down.is_set():
                    self.send_error(502)
                    return
                upstream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                proxy._upstream.append(upstream)
                upstream.request(self.command, self.path, self._body(), dict(self.headers))
                answer = upstream.getresponse()
                body = b"" if proxy.passes_on.is_set() else answer.read()
                self.send_response(answer.status)
                self.end_headers()
                self.wfile.write(body)
                for line in answer:
                    self.wfile.write(line)
                    self.wfile.flush()

            do_POST = do_GET  # noqa: N815

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that leave in the middle are what this is about

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)
            for upstream in self._upstream:
                if upstream.sock is not None:
                    upstream.sock.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(shared_server: RunningServer) -> Iterator[Proxy]:
    with Proxy(shared_server).running() as proxy:
        yield proxy


class Process:
    """The part of an SDK that follows."""

    def __init__(self, proxy: Proxy, key: str, name: str) -> None:
        address = ServerAddress.of(proxy.url)
        self.breakers = Breakers(BreakerConfig(), 100)
        self.reporter = Reporter(address, key, lambda: name)
        self.follower = Follower(
            address,
            key,
            self.breakers,
            FleetPermits(address, key),
            self.reporter,
            instance=lambda: name,
            silence_s=SILENCE_S,
        )
        self.follower.start_now()

    def close(self) -> None:
        self.follower.close()
        self.reporter.close()


@pytest.fixture
def key(shared_server: RunningServer) -> str:
    return shared_server.create_key(*ALL)


@pytest.fixture
def process(proxy: Proxy, key: str, request: pytest.FixtureRequest) -> Iterator[Process]:
    process = Process(proxy, key, request.node.name)
    yield process
    process.close()


def test_what_an_operator_does_arrives_by_polling_and_that_is_known(
    shared_server: RunningServer, process: Process, key: str
) -> None:
    name = open_breaker(shared_server, key, "polled")
    breaker = process.breakers[name]
    wait_until(lambda: breaker.state == "open", "the snapshot")
    assert process.follower.following
    assert process.breakers.fleet is not None

    act(shared_server, key, name, "force-open")
    wait_until(lambda: breaker.state == "forced_open", "the next poll")
    connected, everybody, slowest_ms, waiting = wait_until(
        lambda: applied_everywhere(shared_server, name), "the acknowledgement"
    )
    assert (connected, waiting) == (everybody, [])
    assert 0 < slowest_ms < 5_000


def test_where_streams_come_through_again_it_polls_no_more(
    shared_server: RunningServer, proxy: Proxy, process: Process, key: str
) -> None:
    name = open_breaker(shared_server, key, "streamed-again")
    wait_until(lambda: process.follower.following, "the first poll")
    proxy.passes_on.set()
    proxy.asked.clear()
    wait_until(lambda: any("follow=false" not in each for each in proxy.asked), "the next try", 30)
    act(shared_server, key, name, "force-open")
    wait_until(lambda: process.breakers[name].state == "forced_open", "the stream")
    assert "follow=false" not in proxy.asked[-1]
    assert process.follower.following


def test_after_three_missed_polls_a_process_is_on_its_own(proxy: Proxy, process: Process) -> None:
    wait_until(lambda: process.follower.following, "the first poll")
    proxy.asked.clear()
    proxy.is_down.set()
    wait_until(lambda: not process.follower.following, "that it notices")
    missed = [each for each in proxy.asked if "follow=false" in each]
    assert len(missed) == 3
    assert process.breakers.fleet is None
    proxy.is_down.clear()
    wait_until(lambda: process.follower.following, "that it comes back", 30)


def test_a_poll_says_what_happened_since_and_ends(shared_server: RunningServer, key: str) -> None:
    name = open_breaker(shared_server, key, "polled-too")
    (snapshot,) = polled(shared_server, key).rest()
    assert snapshot.kind == "snapshot"
    (heartbeat,) = polled(shared_server, key, snapshot.id).rest()
    assert (heartbeat.kind, heartbeat.data) == ("heartbeat", {"sequence": int(snapshot.id)})
    act(shared_server, key, name, "force-open")
    act(shared_server, key, name, "release")
    missed = polled(shared_server, key, snapshot.id).rest()
    assert [each.data["cause"] for each in missed] == ["forced_open", "released"]


def test_a_poll_needs_a_key_that_may_read(shared_server: RunningServer) -> None:
    assert polled(shared_server, "fm_wrong").answer.status == 401
    assert polled(shared_server, shared_server.create_key("ingest")).answer.status == 403


def polled(server: RunningServer, key: str, last_event_id: str = "") -> Stream:
    return Stream(server, key, last_event_id, "?follow=false")
