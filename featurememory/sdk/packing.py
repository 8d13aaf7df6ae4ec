"""Operations by the batch, small enough to wait for a server that is away."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from featurememory.sdk.buffer import Packed


def pack(texts: Sequence[str]) -> Packed:
    """The JSON texts as one batch; a text holds no line feed."""
    return Packed(len(texts), zlib.compress("\n".join(texts).encode("utf-8", "replace"), 1))


def unpack(packed: Packed) -> list[str]:
    """The JSON texts."""
    return zlib.decompress(packed.data).decode().split("\n")


def gzipped(body: bytes) -> bytes:
    """`body` as Content-Encoding gzip has it."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()
