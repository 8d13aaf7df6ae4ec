"""The demo's loop: takes files as they come, sends each through every model, and lets the memory guard it."""

from __future__ import annotations

import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from featurememory import CircuitBreakerError, FeatureMemory
from featurememory.demo.work import FLAKY, MODELS, SPACE, Model, features

CALM_S, HEAVY_S = 60.0, 30.0
"""The sandboxed model gets small files for a minute, then large ones for half a minute, and so on."""
FLAKY_EVERY = 8
"""Each eighth operation goes to the sandboxed model."""
LARGE_BYTES = 70_000


@dataclass(slots=True)
class Tally:
    """What the demo has seen of its own operations."""

    done: int = 0
    failed: int = 0
    refused: int = 0
    opened: Counter[str] = field(default_factory=Counter)
    """How often each breaker opened."""


class Orchestrator:
    """Works at `rate` operations a second until `stop` is set; `clock` gives seconds."""

    def __init__(
        self,
        memory: FeatureMemory,
        rate: float,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._rate = rate
        self._stop = stop
        self._clock = clock
        self._began = clock()
        self._small, self._large = _files()
        self._models = cycle(MODELS)
        self._open: set[str] = set()
        self.tally = Tally()

    @property
    def phase(self) -> str:
        into = (self._clock() - self._began) % (CALM_S + HEAVY_S)
        return "small files" if into < CALM_S else "large files"

    def run(self, seconds: float | None = None) -> None:
        """Works for `seconds`, or until stopped."""
        small, large = cycle(self._small), cycle(self._large)
        due = self._began
        number = 0
        while not self._stop.wait(max(0.0, due - self._clock())):
            now = self._clock()
            if seconds is not None and now - self._began > seconds:
                return
            due = max(due + 1 / self._rate, now - 1)
            number += 1
            if number % FLAKY_EVERY:
                self._operate(next(self._models), next(small))
            else:
                self._operate(FLAKY, next(small if self.phase == "small files" else large))

    def _operate(self, model: Model, file: Path) -> None:
        data = file.read_bytes()
        try:
            with self._memory.operation(
                model.operation_type,
                model=model.name,
                attributes={"file": file.name, "bytes": len(data)},
                features=features(data),
                space=SPACE,
            ) as operation:
                baseline, *others = model.choices
                parameters = operation.recommend(baseline, others) if others else baseline
                operation.parameters = dict(parameters)
                score = model.work(data, parameters)
                if score is not None:
                    operation.score(score)
        except CircuitBreakerError as refusal:
            self.tally.refused += 1
            self._note_open(refusal.breaker)
        except (MemoryError, SyntaxError, TimeoutError, ValueError):
            self.tally.failed += 1
        else:
            self.tally.done += 1
            self._open.discard(f"{model.operation_type}:{model.name}")

    def _note_open(self, breaker: str) -> None:
        if breaker not in self._open:
            self._open.add(breaker)
            self.tally.opened[breaker] += 1


def _files() -> tuple[list[Path], list[Path]]:
    """The Python installation's modules: the smaller half, and the large ones."""
    sizes = {module: module.stat().st_size for module in Path(sysconfig.get_path("stdlib")).glob("*.py")}
    modules = sorted((module for module, size in sizes.items() if size), key=sizes.__getitem__)
    large = [module for module in modules if sizes[module] >= LARGE_BYTES]
    return modules[: len(modules) // 2], large or modules[-1:]
