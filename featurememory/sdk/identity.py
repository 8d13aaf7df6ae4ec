"""Who we are, and names for operations; from randomness of our own.

The host's generator is left alone: a program that seeds it stays reproducible, and two programs with the same
seed do not give their operations the same names.
"""

from __future__ import annotations

import os
from random import Random

_numbers = Random()  # noqa: S311 - names and jitter, not secrets
os.register_at_fork(after_in_child=_numbers.seed)

random_bits = _numbers.getrandbits
random_share = _numbers.random
"""A number in [0, 1)."""

RANDOM_BITS = 74
"""How many random bits a UUIDv7 holds."""


def uuid7(unix_ns: int, randomness: int) -> str:
    """The UUID version 7 (RFC 9562, 5.7) of a moment, with `RANDOM_BITS` of randomness."""
    high, low = randomness >> 62, randomness & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{unix_ns // 1_000_000 << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def instance_name() -> str:
    """Host, process and a random part, so that no two processes ever share it."""
    return f"{os.uname().nodename[:150]}:{os.getpid()}:{random_bits(32):08x}"
