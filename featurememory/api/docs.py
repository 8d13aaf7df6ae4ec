"""The API's description: the OpenAPI document, and a page that reads it out without a foreign script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from featurememory.access import KEYS
from featurememory.api import api
from featurememory.api.auth import allow
from featurememory.api.problems import ProblemError, respond

View = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the document, as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    body: str
    answers: list[tuple[str, str]]
    """(status, schema's name)"""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    required: bool
    description: str


def for_people_and_keys(view: View) -> View:
    """Opens `view` to whoever is logged in, and to a key with the scope `read`."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            try:
                allow(KEYS.caller(request.headers.get("Authorization", "")), "read")
            except ProblemError as problem:
                return respond(problem)
        return view(request)

    return guarded


@require_safe
@for_people_and_keys
def openapi_document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 document."""
    return JsonResponse(api.get_openapi_schema())


@require_safe
@for_people_and_keys
def documentation(request: HttpRequest) -> HttpResponse:
    """Every call and every schema on one page."""
    calls, schemas = _described()
    return render(request, "api/docs.html", {"calls": calls, "schemas": schemas})


@cache
def _described() -> tuple[list[Call], dict[str, list[Field]]]:
    document = api.get_openapi_schema()
    schemas = document["components"]["schemas"]
    fields = {
        name: list(_fields(schema)) for name, schema in sorted(schemas.items()) if "properties" in schema
    }
    return list(_calls(document)), fields


def _calls(document: dict[str, Any]) -> Iterator[Call]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            body = (
                call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            )
            yield Call(
                method=method.upper(),
                path=path,
                summary=call.get("summary", ""),
                description=call.get("description", ""),
                parameters=[_parameter(each) for each in call.get("parameters", [])],
                body=_kind(body),
                answers=[(str(status), _answer(answer)) for status, answer in call["responses"].items()],
            )


def _parameter(parameter: dict[str, Any]) -> Parameter:
    schema = parameter.get("schema", {})
    description = parameter.get("description") or schema.get("description", "")
    return Parameter(parameter["name"], parameter["in"], _kind(schema), description)


def _answer(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        return _kind(content.get("schema", {}))
    return ""


def _fields(schema: dict[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, each in schema["properties"].items():
        yield Field(name, _kind(each), name in required, each.get("description", ""))


def _kind(schema: dict[str, Any]) -> str:
    """A schema in few words: its name, its type, or its alternatives."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "")
