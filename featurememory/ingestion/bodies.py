"""Requests' bodies as they arrive: how large they are, what they are packed in, what they would grow to."""

from __future__ import annotations

import zlib

_DENSITY = 8
"""How many times a body's limit its values may take in memory."""


class BodyTooLarge(Exception):
    """More bytes than the limit, before or after unzipping."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes, unzipped; send smaller batches.")


class TooManyValues(Exception):
    """The body is small for what it holds: decoded it would take many times its size."""

    def __init__(self) -> None:
        super().__init__("The body holds too many values for one request; send smaller batches.")


class UnusableEncoding(Exception):
    """The body is not encoded as its Content-Encoding says, or in a way that is not understood."""


def plain_size(body: bytes, content_encoding: str) -> int:
    """How large the body is or, zipped, says that it will be (RFC 1952: ISIZE, its last four bytes)."""
    return int.from_bytes(body[-4:], "little") if content_encoding.strip().lower() == "gzip" else len(body)


def decoded_body(body: bytes, content_encoding: str, limit: int) -> bytes:
    """`body` without its Content-Encoding; never holds more than `limit` bytes, nor more than it announces."""
    if len(body) > limit:
        raise BodyTooLarge(limit)
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnusableEncoding(f"Content-Encoding {encoding[:50]!r} is not understood; use gzip or none.")
    announced = plain_size(body, encoding)
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, min(announced, limit) + 1)
    except zlib.error as wrong:
        raise UnusableEncoding(f"The body is not gzip ({wrong}).") from None
    if len(plain) > limit:
        raise BodyTooLarge(limit)
    if len(plain) != announced or not unzip.eof or unzip.unused_data:
        raise UnusableEncoding("The gzip body is cut off or has something behind its end.")
    return plain


def check_density(body: bytes, limit: int) -> None:
    """Refuses JSON that would take many times `limit` once it is decoded: hardly more than brackets and commas.

    An object takes about 200 bytes of memory and a value 60. What is sent in earnest stays far below.
    """
    if len(body) < limit // _DENSITY:
        return
    decoded = 200 * (body.count(b"{") + body.count(b"[")) + 60 * body.count(b",")
    if decoded > _DENSITY * limit:
        raise TooManyValues
