"""How long a look-up takes among ever more patterns of 768 dimensions, whether it finds the right one, and what the
patterns cost in memory and at a start.

Patterns vary in 64 directions and a little in all others, as embeddings do; what is looked up is one of them,
disturbed.
"""

from __future__ import annotations

import gc
from time import perf_counter

import numpy as np

from featurememory.core.features import Matrix
from featurememory.core.patterns import Pattern
from featurememory.core.recognizer import Recognizer
from featurememory.core.spaces import WARM_UP, calibrate
from tests.benchmarks import Row

DIMENSION, DIRECTIONS = 768, 64
SIZES = (1_000, 10_000, 100_000)
LOOK_UPS, CHANGES = 1_000, 200


def run() -> list[Row]:
    return [row for patterns in SIZES for row in _measure(patterns)]


def _measure(patterns: int) -> list[Row]:
    chance = np.random.default_rng(patterns)
    vectors = embeddings(chance, patterns)
    space = calibrate(vectors[:WARM_UP])
    queries = vectors[chance.integers(patterns, size=LOOK_UPS)]
    queries = queries + 0.5 * chance.standard_normal(queries.shape, np.float32)
    units = np.concatenate([space.normalise_all(part) for part in np.array_split(vectors, patterns // 500)])
    known = [Pattern(id, unit, count=10) for id, unit in enumerate(units)]
    right = np.argmax(space.normalise_all(queries) @ units.T, axis=1).tolist()

    gc.collect()
    before = _private_kb()
    started = perf_counter()
    recognizer = Recognizer(space, known)
    rebuilt_s = perf_counter() - started
    kb_each = (_private_kb() - before) / patterns

    found, look_ups_ms = [], []
    for query in queries:
        started = perf_counter()
        recognition = recognizer.look_up(query)
        look_ups_ms.append((perf_counter() - started) * 1e3)
        found.append(recognition.nearest[0].id)
    recall = float(np.mean([one == other for one, other in zip(found, right, strict=True)]))

    changes_ms = []
    for query in queries[:CHANGES]:
        started = perf_counter()
        recognizer.learn(query)
        changes_ms.append((perf_counter() - started) * 1e3)

    p50, p99 = np.quantile(look_ups_ms, (0.5, 0.99)).tolist()
    name = f"recognition, {patterns:,} patterns"
    return [
        Row(f"{name}, p50", "-", "-", f"{p50:.3f}", "ms", None),
        Row(f"{name}, p99", "50", "< 1", f"{p99:.3f}", "ms", p99 < 1),
        Row(f"{name}, recall@1", "-", ">= 0.99", f"{recall:.3f}", "", recall >= 0.99),
        Row(f"{name}, learning p99", "-", "-", f"{np.quantile(changes_ms, 0.99):.3f}", "ms", None),
        Row(f"{name}, memory of the index", "-", "-", f"{kb_each:.1f}", "KB a pattern", None),
        Row(f"{name}, rebuilt", "-", "-", f"{rebuilt_s:.2f}", "s", None),
    ]


def embeddings(chance: np.random.Generator, count: int) -> Matrix:
    directions = chance.standard_normal((DIRECTIONS, DIMENSION), np.float32) / np.float32(DIRECTIONS**0.5)
    noise = chance.standard_normal((count, DIMENSION), np.float32)
    return chance.standard_normal((count, DIRECTIONS), np.float32) @ directions + np.float32(0.3) * noise


def _private_kb() -> int:
    with open("/proc/self/smaps_rollup") as file:
        sizes = dict(line.split()[:2] for line in file.read().splitlines()[1:])
    return int(sizes["Private_Clean:"]) + int(sizes["Private_Dirty:"])
