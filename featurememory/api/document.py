"""The OpenAPI document, completed: the bodies that we decode ourselves, and what their schemas refer to."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REF = "#/components/schemas/{model}"
_documented: dict[str, type[BaseModel]] = {}


def takes_json(body: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of an operation that reads `body` from the raw request."""
    _documented[body.__name__] = body
    schema = {"$ref": _REF.format(model=body.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def complete_document(document: Any) -> Any:
    """`document` with the schemas of all raw bodies among its components."""
    models = [(body, "validation") for body in _documented.values()]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    document["components"].setdefault("schemas", {}).update(definitions["$defs"])
    return document
