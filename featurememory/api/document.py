"""The OpenAPI document, completed: the bodies that we decode ourselves, and what their schemas refer to."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REF = "#/components/schemas/{model}"
_PROBLEM = "application/problem+json"
_documented: dict[str, type[BaseModel]] = {}


def takes_json(body: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an operation that reads `body` from the raw request."""
    _documented[body.__name__] = body
    schema = {"$ref": _REF.format(model=body.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def complete_document(document: Any) -> Any:
    """`document` with what ninja does not see: the schemas of raw bodies, the media type of problems, and what the
    ASGI router serves."""
    models = [(body, "validation") for body in _documented.values()]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    document["components"].setdefault("schemas", {}).update(definitions["$defs"])
    for call in (call for methods in document["paths"].values() for call in methods.values()):
        for status, answer in call["responses"].items():
            if int(status) >= HTTPStatus.BAD_REQUEST:
                answer["content"] = {_PROBLEM: answer["content"].popitem()[1]}
    document["paths"][STREAM_PATH] = {"get": _STREAM}
    return document


STREAM_PATH = "/api/v1/breakers/stream"

_STREAM = {
    "operationId": "stream_breakers",
    "summary": "Follow every breaker",
    "description": "Server-sent events: a `snapshot` of all breakers, then each `transition` and `configuration` as "
    "it is committed, and a `heartbeat` with the newest sequence every five seconds. Come back with Last-Event-ID to "
    "get what was missed. Where a proxy holds streams up, poll with `follow=false` as often as a heartbeat would come.",
    "tags": ["breakers"],
    "security": [{"ScopedKey": []}],
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "The `id` of the last event that was read.",
            "schema": {"type": "string"},
        },
        {
            "name": "instance",
            "in": "query",
            "required": False,
            "description": "The process that follows; operators see it by this name.",
            "schema": {"type": "string", "maxLength": 200},
        },
        {
            "name": "follow",
            "in": "query",
            "required": False,
            "description": "`false`: the answer ends after what is to be heard now.",
            "schema": {"type": "boolean", "default": True},
        },
    ],
    "responses": {
        "200": {"description": "OK", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **{
            status: {
                "description": description,
                "content": {_PROBLEM: {"schema": {"$ref": _REF.format(model="Problem")}}},
            }
            for status, description in (
                ("401", "No key"),
                ("403", "Wrong key"),
                ("503", "The database does not answer"),
            )
        },
    },
}
