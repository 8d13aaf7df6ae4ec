"""Protobuf's wire format (protobuf.dev/programming-guides/encoding), as far as messages are told apart by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class BrokenFraming(Exception):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    contents: memoryview
    """Of a string, bytes or a message; empty for numbers."""
    whole: memoryview
    """With its tag, as it stands in the message."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields in their order; BrokenFraming where they cannot be told apart."""
    at, end = 0, len(message)
    while at < end:
        begin = at
        tag, at = _varint(message, at)
        size = 0
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _varint(message, at)
                at += size
            case 5:
                at += 4
            case kind:
                raise BrokenFraming(f"wire type {kind} at byte {begin}")
        if at > end:
            raise BrokenFraming(f"the field at byte {begin} is cut off")
        yield Field(tag >> 3, message[at - size : at], message[begin:at])


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """(value, the place behind it)."""
    value = 0
    for position, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value, at + position + 1
    raise BrokenFraming(f"the number at byte {at} does not end")
