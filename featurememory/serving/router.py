"""The ASGI application: ingestion and live streams are served here, everything else by Django in threads.

A request that waits for the writer, or a stream that waits for news, costs no thread this way; Django under
a2wsgi is twice as fast as its own ASGI handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.db import InterfaceError, OperationalError

from featurememory.access import KEYS, Caller
from featurememory.api.auth import allow
from featurememory.api.intake import (
    OPERATIONS,
    SCOPE,
    Answer,
    Endpoint,
    RawRequest,
    Steps,
    advance,
    as_problem,
)
from featurememory.api.otlp import TRACES
from featurememory.ingestion.receive import intake
from featurememory.ingestion.room import BODIES
from featurememory.ingestion.transaction import Submission, Written
from featurememory.live.followers import note_connected, note_gone, note_polled
from featurememory.serving.body import Disconnected, read_body
from featurememory.serving.database import ask_database
from featurememory.serving.lifespan import Lifespan
from featurememory.serving.stream import HEADERS, read_opening, serve_stream

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DJANGO_THREADS = 8
_decoding = ThreadPoolExecutor(1, thread_name_prefix="decoding")
"""Large bodies are decoded one at a time: a second thread would only share the interpreter, and double the memory."""


class Router:
    """Chooses who answers; starts and stops what the process needs around it."""

    def __init__(self, wsgi: Any) -> None:
        self._django = WSGIMiddleware(wsgi, workers=DJANGO_THREADS)
        self._sub_path: str = settings.CONFIGURATION.sub_path
        self._intakes: dict[str, Endpoint] = {"/api/v1/operations": OPERATIONS, "/v1/traces": TRACES}
        self.lifespan = Lifespan()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = self._path(scope)
        if scope["method"] == "POST" and path in self._intakes:
            await self._take_in(self._intakes[path], scope, receive, send)
        elif scope["method"] == "GET" and path == "/api/v1/breakers/stream":
            serve = self._poll if _query(scope, "follow") == "false" else self._stream
            await serve(scope, receive, send)
        else:
            await self._django(scope, receive, send)  # type: ignore[arg-type]

    def _path(self, scope: Scope) -> str:
        """The path below the sub-path, whether the proxy in front took it off or not."""
        path: str = scope["path"]
        if self._sub_path and path.startswith(self._sub_path + "/"):
            path = path[len(self._sub_path) :]
            scope["path"], scope["raw_path"] = path, path.encode()
        return path

    async def _take_in(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        with BODIES.room() as room:
            raw = RawRequest(
                authorization=headers.get(b"authorization", ""),
                content_type=headers.get(b"content-type", ""),
                content_encoding=headers.get(b"content-encoding", ""),
                body=b"",
                room=room,
            )
            try:
                caller = allow(await _caller(raw.authorization), SCOPE)
                body = await read_body(headers.get(b"content-length", ""), receive, room)
                raw = replace(raw, body=body, key=caller.actor)
                answer = await _taken_in(endpoint, raw)
            except Disconnected:
                return
            except Exception as failure:
                answer = endpoint.refuse(as_problem(failure), raw)
        await _send(answer, send)

    async def _poll(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        try:
            allow(await _caller(headers.get(b"authorization", "")), "read")
            if instance := _instance(scope):
                await ask_database(partial(note_polled, instance))
            opening = await read_opening(headers.get(b"last-event-id", ""))
        except Exception as failure:
            await _refuse(failure, send)
        else:
            await _send(Answer(HTTPStatus.OK, HEADERS, opening.body), send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)

        async def check() -> None:
            allow(await _caller(headers.get(b"authorization", "")), "read")

        hub, instance = self.lifespan.hub, _instance(scope)
        async with hub.subscribe(instance) as news:
            try:
                await check()
                opening = await read_opening(headers.get(b"last-event-id", ""))
                connected_at = await ask_database(partial(note_connected, instance)) if instance else None
            except Exception as failure:
                await _refuse(failure, send)
                return
            try:
                await serve_stream(hub, news, opening, check, receive, send)
            finally:
                if connected_at is not None:
                    with suppress(OperationalError, InterfaceError):  # then nobody vouches for it any more
                        await asyncio.shield(ask_database(partial(note_gone, instance, connected_at)))


def _instance(scope: Scope) -> str:
    """The process that follows, where it says so: `?instance=`."""
    given = _query(scope, "instance")
    return given[:200] if given.isprintable() else ""


def _query(scope: Scope, name: str) -> str:
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get(name, [""])[0]


async def _refuse(failure: Exception, send: Send) -> None:
    problem = as_problem(failure)
    await _send(Answer(problem.status, problem.headers(), problem.body()), send)


async def _caller(authorization: str) -> Caller | None:
    """As KEYS.caller; the event loop does not wait for the database."""
    known, caller = KEYS.remembered(authorization)
    return caller if known else await ask_database(partial(KEYS.caller, authorization))


async def _taken_in(endpoint: Endpoint, request: RawRequest) -> Answer:
    """Stores the request's operations part by part; gives its answer."""
    go_on = _advance_at_once if request.plain_size <= endpoint.quick_up_to else _advance_in_thread
    steps = endpoint.steps(request)
    step = await go_on(steps, None)
    while isinstance(step, Submission):
        step = await go_on(steps, await _written(step))
    return step


async def _advance_at_once(steps: Steps, written: Written | None) -> Submission | Answer:
    return advance(steps, written)


async def _advance_in_thread(steps: Steps, written: Written | None) -> Submission | Answer:
    return await asyncio.get_running_loop().run_in_executor(_decoding, advance, steps, written)


async def _written(submission: Submission) -> Written:
    """What became of the operations; the writer goes on whether anybody still waits or not."""
    return await asyncio.shield(asyncio.wrap_future(intake().writer.submit(submission)))


def _headers(scope: Scope) -> dict[bytes, str]:
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return {name: value.decode("latin-1") for name, value in pairs}


async def _send(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
