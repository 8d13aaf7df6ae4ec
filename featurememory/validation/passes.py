"""What passes is counted in the process; now and then the counts go to the database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from featurememory.validation.results import Subject

SAMPLED = 100
"""Of so many passes at least, one is kept as a record; the first of an hour always is."""
MAX_PLACES = 10_000
"""Validators with their sources that are told apart between two drains."""
_HOUR_S = 3_600

Place = tuple[str, str]
"""(validator, source)"""


class Passed(NamedTuple):
    """What passed since the last drain: how many in which hour, and a sample."""

    counts: Mapping[tuple[Place, int], int]
    """By place and hour, in hours since the Unix epoch."""
    samples: Mapping[Place, tuple[float, Subject]]
    """When, in seconds since the Unix epoch, and what it belonged to; at most one of a place."""


class Passes:
    """Thread-safe; a count costs well under a microsecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Place, int]] = Counter()
        self._samples: dict[Place, tuple[float, Subject]] = {}
        self._since_sample: dict[Place, tuple[int, int]] = {}
        """By place: the hour of the last sample, and how many passed since."""

    def add(self, validator: str, source: str, count: int, subject: Subject, now: float) -> None:
        """`count` passed at `now`, in seconds since the Unix epoch; `subject` is the first one's."""
        place, hour = (validator, source), int(now) // _HOUR_S
        with self._lock:
            if place not in self._since_sample and len(self._since_sample) >= MAX_PLACES:
                place = (validator, "")
            self._counts[place, hour] += count
            sampled_in, since = self._since_sample.get(place, (-1, 0))
            if sampled_in != hour or since + count >= SAMPLED:
                self._samples.setdefault(place, (now, subject))
                self._since_sample[place] = hour, 0
            else:
                self._since_sample[place] = hour, since + count

    def drain(self) -> Passed:
        """What passed since the last time."""
        with self._lock:
            passed = Passed(self._counts, self._samples)
            self._counts, self._samples = Counter(), {}
            if len(self._since_sample) >= MAX_PLACES:
                self._since_sample.clear()
            return passed

    def forget(self) -> None:
        """As in a new process."""
        with self._lock:
            self._counts, self._samples, self._since_sample = Counter(), {}, {}

    def put_back(self, passed: Passed) -> None:
        """Where they could not be stored."""
        with self._lock:
            self._counts.update(passed.counts)
            self._samples = {**passed.samples, **self._samples}


PASSES = Passes()
"""This process's."""
