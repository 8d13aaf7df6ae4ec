"""Parameters and attributes as rows of a table, however deep they are nested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any

LONGEST = 160
DEEPEST = 4
MOST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` leads through what is nested: "sampler.steps"."""

    name: str
    text: str

    @property
    def is_long(self) -> bool:
        return len(self.text) > LONGEST or "\n" in self.text

    @property
    def short(self) -> str:
        """The beginning of its first line."""
        return self.text.split("\n", 1)[0][:LONGEST].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Entries:
    """`more`: how many were too many to show."""

    shown: tuple[Entry, ...]
    more: int = 0


def entries_of(values: Mapping[str, Any]) -> Entries:
    """In the order of names, as they are read."""
    found = tuple(_entries("", values, 0))
    return Entries(found[:MOST], max(0, len(found) - MOST))


def _entries(above: str, values: Mapping[str, Any], depth: int) -> Iterator[Entry]:
    for name, value in sorted(values.items()):
        full = f"{above}.{name}" if above else name
        if isinstance(value, dict) and value and depth < DEEPEST:
            yield from _entries(full, value, depth + 1)
        else:
            yield Entry(full, _text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    is_nested = isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
    )
    return dumps(value, ensure_ascii=False, indent=2 if is_nested and value else None)
