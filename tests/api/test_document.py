"""The API is what its OpenAPI document says: requests made from the document get answers that it describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from ninja import Schema
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from featurememory.api import api
from featurememory.api.document import STREAM_PATH
from tests.live.breakers import open_breaker
from tests.servers import RunningServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

document = schemathesis.openapi.from_dict(api.get_openapi_schema()).exclude(path=STREAM_PATH)  # it never ends


@pytest.mark.sqlite_only
@document.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_call_answers_as_it_is_described(case: Any, shared_server: RunningServer) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    if not shared_server.keys.get(("document",)):
        shared_server.keys[("document",)] = open_breaker(shared_server, key, "0")
    answer = case.call(base_url=shared_server.url, headers={"Authorization": f"Bearer {key}"})
    case.validate_response(answer, checks=CHECKS)


def test_every_call_has_a_summary_and_says_how_it_refuses() -> None:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, call in methods.items():
            assert call["summary"], (method, path)
            answers = {str(status): answer for status, answer in call["responses"].items()}
            assert {"401", "403"} <= answers.keys(), (method, path)
            for status, answer in answers.items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_no_two_shapes_share_a_name() -> None:
    """The document would have only one of them."""

    def shapes(of: type) -> Iterator[type]:
        for each in of.__subclasses__():
            yield each
            yield from shapes(each)

    def choices(of: Any) -> Iterator[type]:
        if isinstance(of, type) and issubclass(of, Enum):
            yield of
        for part in get_args(of):
            yield from choices(part)

    ours = {each for each in shapes(Schema) if each.__module__.startswith("featurememory.")}
    fields = (field for each in ours for field in each.model_fields.values())
    ours |= {each for field in fields for each in choices(field.annotation)}
    names = Counter(each.__name__ for each in ours)
    assert [name for name, times in names.items() if times > 1] == []
