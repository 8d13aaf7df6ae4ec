"""What a recommendation and what is learned from its outcome cost: in the plain logic, in a caller's process, and over
HTTP with everything on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import numpy as np

from featurememory import FeatureMemory
from featurememory.optimization.learner import Learner
from featurememory.optimization.policy import Choice
from tests.benchmarks import Row
from tests.servers import RunningServer, running_server

PATTERNS, ARMS = 512, 16
TRIALS, ASKED = 8_000, 1_000
OVER_HTTP = 400


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, running_server(Path(directory)) as server:
        return [*_plain(), *_over_http(server), *_in_the_caller(server)]


def _plain() -> list[Row]:
    learner, random = Learner(ARMS, 0), Random(1)
    near = tuple((random.randrange(PATTERNS), 0.5) for _ in range(16))
    learned = []
    for trial in range(TRIALS):
        pattern, arm = random.randrange(PATTERNS), random.randrange(ARMS) if learner.pooled else 0
        started = perf_counter()
        learner.learn(pattern, Choice(arm, 0.1, 0.1), pattern % 7 + arm / 10 + random.gauss(0, 0.3), near)
        learned.append(perf_counter() - started)
        if learner.is_due and (trial < 100 or trial % 500 == 0):
            learner.re_estimate()
    asked = [_timed(lambda: learner.recommend(random.randrange(PATTERNS), 1)) for _ in range(ASKED)]
    estimated = _timed(learner.re_estimate)
    name = f"{PATTERNS} patterns, {ARMS} sets"
    return [
        Row(f"recommend, {name}", "-", "-", f"{np.median(asked) * 1e6:.0f}", "us", None),
        Row(f"learn, {name}", "-", "-", f"{np.median(learned[-1_000:]) * 1e6:.0f}", "us", None),
        Row(f"estimate anew, {name}", "-", "-", f"{estimated * 1e3:.0f}", "ms", None),
    ]


def _over_http(server: RunningServer) -> list[Row]:
    """One caller, one request after the other, on a kept connection; the answer is on disk."""
    with _memory(server, keep_beliefs_s=0) as memory:
        taken = _play(memory, OVER_HTTP)
    p50, p99 = np.quantile(taken[50:], (0.5, 0.99)) * 1e3
    return [
        Row("recommend over HTTP, p50", "-", "-", f"{p50:.1f}", "ms", None),
        Row("recommend over HTTP, p99", "50", "-", f"{p99:.1f}", "ms", None),
    ]


def _in_the_caller(server: RunningServer) -> list[Row]:
    """From a belief that is kept."""
    with _memory(server, keep_beliefs_s=600) as memory:
        _play(memory, 100)
        taken = [seconds for seconds, is_local in zip(_play(memory, 200), _local, strict=False) if is_local]
    return [Row("recommend from a kept belief, p50", "-", "-", f"{np.median(taken) * 1e6:.0f}", "us", None)]


_local: list[bool] = []


def _play(memory: FeatureMemory, count: int) -> list[float]:
    _local.clear()
    taken = []
    for _ in range(count):
        with memory.operation("bench", model="m") as op:
            started = perf_counter()
            op.recommend({"steps": 50}, [{"steps": 20}, {"steps": 90}])
            taken.append(perf_counter() - started)
            op.score(0.5)
        _local.append(op.recommended is not None and op.recommended.choice is not None)
    memory.flush()
    return taken


def _memory(server: RunningServer, **options: Any) -> FeatureMemory:
    key = server.create_key("ingest", "read")
    return FeatureMemory(
        server.url,
        key,
        breaker={"health_thresholds": {"cpu": None}},
        follow_breakers=False,
        recommend_timeout_s=5.0,
        **options,
    )


def _timed(work: Any) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
