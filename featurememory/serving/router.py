"""The ASGI application: ingestion and live streams are served here, everything else by Django in threads.

A request that waits for the writer, or a stream that waits for news, costs no thread this way; Django under
a2wsgi is twice as fast as its own ASGI handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from a2wsgi import WSGIMiddleware
from django.conf import settings

from featurememory.access import KEYS, Caller
from featurememory.api.auth import allow
from featurememory.api.intake import OPERATIONS, SCOPE, Answer, Endpoint, Pending, RawRequest, as_problem
from featurememory.api.otlp import TRACES
from featurememory.api.problems import ProblemError
from featurememory.ingestion.receive import BodyTooLarge
from featurememory.ingestion.transaction import Written
from featurememory.serving.lifespan import Lifespan
from featurememory.serving.stream import breaker_stream

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DJANGO_THREADS = 8


class Disconnected(Exception):
    """The client went away in the middle of its request."""


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
            await self._stream(scope, receive, send)
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
        raw = RawRequest(
            authorization=headers.get(b"authorization", ""),
            content_type=headers.get(b"content-type", ""),
            content_encoding=headers.get(b"content-encoding", ""),
            body=b"",
        )
        try:
            allow(await _caller(raw.authorization), SCOPE)
            raw = replace(raw, body=await _read_body(headers, receive))
            pending = endpoint.begin(raw)
            answer = pending.finish(await _written(pending))
        except Disconnected:
            return
        except Exception as failure:
            answer = endpoint.refuse(as_problem(failure), raw)
        await _send(answer, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        try:
            allow(await _caller(headers.get(b"authorization", "")), "read")
        except ProblemError as problem:
            await _send(Answer(problem.status, problem.headers(), problem.body()), send)
            return
        await breaker_stream(self.lifespan.hub, headers.get(b"last-event-id", ""), receive, send)


async def _caller(authorization: str) -> Caller | None:
    """As KEYS.caller; the event loop does not wait for the database."""
    known, caller = KEYS.remembered(authorization)
    if known:
        return caller
    return await asyncio.get_running_loop().run_in_executor(None, KEYS.caller, authorization)


async def _written(pending: Pending) -> Written | None:
    """What became of the operations; the writer goes on whether anybody still waits or not."""
    future = pending.future
    if future is None:
        return None
    waiting: asyncio.Future[Written] = asyncio.wrap_future(future)
    return await asyncio.shield(waiting)


def _headers(scope: Scope) -> dict[bytes, str]:
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return {name: value.decode("latin-1") for name, value in pairs}


async def _read_body(headers: dict[bytes, str], receive: Receive) -> bytes:
    """The whole body as sent. One byte beyond the limit ends the reading."""
    limit: int = settings.CONFIGURATION.max_body_bytes
    if int(headers.get(b"content-length", "0") or 0) > limit:
        raise BodyTooLarge(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
