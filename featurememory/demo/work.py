"""The "models" of the demo: codecs, hashes and analysers of the standard library, with their parameters."""

from __future__ import annotations

import ast
import bz2
import hashlib
import io
import lzma
import subprocess
import sys
import tokenize
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import Any

SANDBOX_MB = 4
SANDBOX_S = 5.0
SPACE = "byte-classes-9"

Parameters = Mapping[str, Any]
Work = Callable[[bytes, Parameters], float | None]
"""Takes the input and the parameters; gives a score in [0, 1] where there is a sensible one."""


@dataclass(frozen=True, slots=True)
class Model:
    """One (operation_type, model), the parameters it may be called with (first those that it has by default), and what
    it does."""

    operation_type: str
    name: str
    choices: tuple[Parameters, ...]
    work: Work


def _saved(size: int, compressed: bytes) -> float:
    """The share of the input that compression took away, never below 0."""
    return max(0.0, 1 - len(compressed) / size) if size else 0.0


def deflate(data: bytes, parameters: Parameters) -> float:
    return _saved(len(data), zlib.compress(data, parameters["level"]))


def burrows_wheeler(data: bytes, parameters: Parameters) -> float:
    return _saved(len(data), bz2.compress(data, parameters["level"]))


def lempel_ziv_markov(data: bytes, parameters: Parameters) -> float:
    return _saved(len(data), lzma.compress(data, preset=parameters["preset"]))


def digest(algorithm: str, data: bytes, parameters: Parameters) -> None:
    step = parameters["block_bytes"]
    running = hashlib.new(algorithm)
    for start in range(0, len(data), step):
        running.update(data[start : start + step])
    running.hexdigest()


def entropy(data: bytes, parameters: Parameters) -> float:
    """Shannon's entropy of the bytes, as a share of the possible eight bits."""
    counts = Counter(data)
    return -sum(n / len(data) * log2(n / len(data)) for n in counts.values()) / 8 if data else 0.0


def tokens(data: bytes, parameters: Parameters) -> None:
    for _ in tokenize.tokenize(io.BytesIO(data).readline):
        pass


def parsed_in_sandbox(data: bytes, parameters: Parameters) -> None:
    """Parses the source in a process that may take only so much memory: with a large file it really dies."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-I", "-c", _SANDBOX, str(parameters["memory_mb"] * 2**20)],
        input=data,
        capture_output=True,
        timeout=SANDBOX_S,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise MemoryError(last[-1] if last else f"the sandbox ended with status {done.returncode}")


_SANDBOX = """
import ast, resource, sys
source = sys.stdin.buffer.read()
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
ast.parse(source)
"""


def features(data: bytes) -> list[float]:
    """Shares of eight classes of bytes (by their three high bits), and the entropy."""
    counts = Counter(byte >> 5 for byte in data)
    size = max(1, len(data))
    return [*(counts[kind] / size for kind in range(8)), entropy(data, {})]


def nodes(data: bytes, parameters: Parameters) -> None:
    for _ in ast.walk(ast.parse(data)):
        pass


_BLOCKS = ({"block_bytes": 512}, {"block_bytes": 4_096}, {"block_bytes": 65_536})
LEARNING = {"compress": {"aim": "both", "weight": 0.8}}
"""By operation type: a fifth of what compression is worth is its speed. Others learn from their duration."""

MODELS = (
    Model("compress", "zlib", ({"level": 6}, {"level": 1}, {"level": 9}), deflate),
    Model("compress", "bz2", ({"level": 9}, {"level": 1}, {"level": 5}), burrows_wheeler),
    Model("compress", "lzma", ({"preset": 6}, {"preset": 0}, {"preset": 3}), lempel_ziv_markov),
    Model("hash", "sha256", _BLOCKS, partial(digest, "sha256")),
    Model("hash", "blake2b", _BLOCKS, partial(digest, "blake2b")),
    Model("analyse", "entropy", ({},), entropy),
    Model("analyse", "tokens", ({},), tokens),
    Model("analyse", "syntax", ({},), nodes),
)
FLAKY = Model("analyse", "sandboxed-syntax", ({"memory_mb": SANDBOX_MB},), parsed_in_sandbox)
