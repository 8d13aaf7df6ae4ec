"""A span's attributes: their values, which of them are kept, and what is done where they are too large."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from pydantic_core import PydanticCustomError

from featurememory.ingestion.operations import MAX_OBJECT_BYTES, JsonText, printable

OURS = "feature_memory."
OMITTED = f"{OURS}omitted"
"""The attribute that names what of a span was left out or shortened."""

_OLDER = {
    "gen_ai.system": "gen_ai.provider.name",
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
}
_CONTENT = re.compile(
    r"""(
    # the GenAI semantic conventions, and what they said before 2025
    gen_ai\.(input | output\.messages | system_instructions | prompt(?!\.name$) | completion | content)
    | gen_ai\.tool\.(call\.(arguments | result) | definitions)
    | gen_ai\.(retrieval\.(query\.text | documents) | evaluation\.explanation)
    # OpenInference and Traceloop, whose spans carry the conventions' names too
    | (input | output)\.value | llm\.(input_messages | output_messages | prompts) | retrieval\.documents
    | traceloop\.entity\.(input | output)
    )(\..*)?""",
    re.VERBOSE | re.DOTALL,
)
_MARKER_BYTES = 4_096
_NAMED, _NAME_LENGTH = 10, 60


def values_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """The attributes by name, as Python has them."""
    return {pair.key: _value(pair.value) for pair in pairs}


def is_content(name: str) -> bool:
    """Whether the attribute holds what people and models said: it may be personal."""
    return _CONTENT.fullmatch(name) is not None


def kept(attributes: dict[str, Any], *, keep_content: bool) -> dict[str, Any]:
    """What is kept beside the fields: no contents unless switched on, nothing that stands elsewhere."""
    return {
        _OLDER.get(name, name): each
        for name, each in attributes.items()
        if not name.startswith((OURS, "gen_ai.request.")) and (keep_content or not is_content(name))
    }


def fitted(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What of `values` can be stored, the small before the large, and the names of the rest.

    Room is left to name them.
    """
    sizes: dict[str, int] = {}
    for name, each in values.items():
        try:
            sizes[name] = len(JsonText.of({name: each}).encode())
        except PydanticCustomError:
            continue
    room = MAX_OBJECT_BYTES - _MARKER_BYTES
    fitting = set()
    for name in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[name]
        if room < 0:
            break
        fitting.add(name)
    kept_whole = {name: each for name, each in values.items() if name in fitting}
    return kept_whole, [name for name in values if name not in fitting]


def marker(omitted: list[str]) -> dict[str, Any]:
    """The attribute that says what was omitted; none where nothing was."""
    if not omitted:
        return {}
    more = len(omitted) - _NAMED
    names = [printable(name[:_NAME_LENGTH]).replace("\0", "") for name in omitted[:_NAMED]]
    return {OMITTED: [*names, *([f"and {more} more"] if more > 0 else [])]}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return values_of(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case None:
            return None
        case kind:
            return getattr(value, kind)
