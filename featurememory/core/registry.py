"""This process's memory of each feature space, in step with the database.

What is asked is answered from memory, after one look at the space's revision; what other processes have changed
since is read first. What is learned is learned inside the caller's transaction, under the lock of the space's row, so
that all processes learn one after the other. Between learning and commit others of this process may see a pattern
that a rollback takes back; `forget` then has everything read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from sys import maxsize
from typing import NamedTuple, Protocol

import numpy as np
from django.db import transaction

from featurememory.core.confidence import ENOUGH_CONFIRMATIONS, Confidence, fitted
from featurememory.core.errors import UnknownSpace
from featurememory.core.features import STORED, Vector, checked_features
from featurememory.core.index import Neighbour
from featurememory.core.patterns import Pattern
from featurememory.core.projection import Plane, principal_plane
from featurememory.core.recognizer import Recognition, Recognizer
from featurememory.core.spaces import WARM_UP, Space, calibrate, vector_from_bytes, vector_to_bytes
from featurememory.core.storage import (
    count_refused,
    find_space,
    keep_confirmation,
    keep_patterns,
    keep_plane,
    lock_space,
    make_missing_spaces,
    read_patterns,
    read_plane,
    remove_patterns,
)
from featurememory.errors import ResourceConstraintError, ValidationError
from featurememory.models import FeatureSpace, WarmUpVector
from featurememory.observability.latency import RECOGNITION
from featurememory.resource_management.configuration import limits
from featurememory.validation.results import Finding, error, findings_of

_EVICTED_AT_ONCE = 0.01


class Learned(NamedTuple):
    """What became of one vector. Neither is there for one that a space's calibration waits for, or that its space
    refuses."""

    found: Recognition | None = None
    """What it was like before it was learned."""
    pattern: int | None = None
    """None also where it had to make room at once."""
    fault: Finding | None = None
    """Why its space refuses it, where it does."""


class Confirmed(NamedTuple):
    """The pattern that it was about, how many such words there are by now, and the confidence that the match has after
    them."""

    pattern: int
    confirmations: int
    confidence: float


class Heirs(Protocol):
    """What depends on patterns."""

    def gains(self, patterns: Collection[int]) -> Mapping[int, float]:
        """What is gained by knowing each, where anything is."""

    def leave(self, patterns: Collection[int], now: datetime) -> None:
        """They make room for others; inside the transaction in which they do."""


class SpaceRegistry:
    """For any number of threads. Holds at most `max_spaces` spaces of `max_patterns` patterns."""

    def __init__(self, max_spaces: int, max_patterns: int, heirs: Heirs | None = None) -> None:
        self._heirs = heirs
        self._max_spaces = max_spaces
        self._max_patterns = max_patterns
        self._lock = threading.Lock()
        self._known: dict[str, _KnownSpace] = {}

    def recognise(self, name: str, values: Sequence[float]) -> Recognition | None:
        """What `values` are like; None while the space is not calibrated. UnknownSpace, ValidationError."""
        row = find_space(name)
        features = checked_features(values, row.dimension)
        if not row.version:
            return None
        known = self._of(name)
        with RECOGNITION.timing(), known.lock:
            return known.caught_up(row).look_up(features)

    def confirm(
        self, name: str, values: Sequence[float], *, correct: bool, actor: str, now: datetime
    ) -> Confirmed:
        """Takes in whether the pattern that `values` are recognised as is the right one: once there are enough such
        words the space's confidence is fitted to them. In a transaction of its own. UnknownSpace; ValidationError,
        also where they are like no pattern."""
        with transaction.atomic():
            row = lock_space(name)
            if row is None:
                raise UnknownSpace(name)
            features = checked_features(values, row.dimension)
            known = self._of(name)
            with known.lock:
                found = known.caught_up(row).look_up(features) if row.version else None
            if found is None or found.pattern is None:
                raise _nothing_to_confirm()
            said = keep_confirmation(row, found.pattern, found.signs.tolist(), correct, actor, now)
            weights = fitted(np.array([each for each, _ in said]), np.array([right for _, right in said]))
            row.weights = list(weights.weights) if len(said) >= ENOUGH_CONFIRMATIONS else None
            row.revision += 1
            row.save(update_fields=["weights", "revision"])
        return Confirmed(found.pattern, len(said), weights.of(found.signs))

    def nearest_to(self, name: str, pattern: int, count: int) -> list[Neighbour]:
        """The patterns most similar to one of a calibrated space, the most similar first; none where it is gone."""
        known, row = self._of(name), find_space(name)
        with known.lock:
            return known.caught_up(row, now_and_then=True).nearest_to(pattern, count)

    def prepare(self, name: str) -> None:
        """Reads the space, so that nobody has to wait for it. UnknownSpace."""
        row = find_space(name)
        known = self._of(name)
        with known.lock:
            known.caught_up(row)

    def learn_one(self, name: str, values: Sequence[float], now: datetime) -> Learned:
        """In a transaction of its own. ValidationError; ResourceConstraintError where there is no room for the
        space."""
        try:
            with transaction.atomic():
                row = FeatureSpace.objects.defer("calibration").filter(name=name).first()
                features = (
                    checked_features(values, row.dimension)
                    if row
                    else checked_features(values, max_dimensions=limits().constraints.max_pattern_size)
                )
                (learned,) = self.learn([(name, vector_to_bytes(features))], now)
                if row is None and not FeatureSpace.objects.filter(name=name).exists():
                    raise _full(name, self._max_spaces)
        except (ValidationError, ResourceConstraintError):
            raise
        except BaseException:
            self.forget([name])
            raise
        return learned

    def learn(self, told: Sequence[tuple[str, bytes]], now: datetime) -> list[Learned]:
        """Vectors of spaces, as float32, little endian, in order. Inside the caller's transaction; who rolls it back
        must `forget` the spaces."""
        learned = [Learned()] * len(told)
        by_space: dict[str, list[int]] = {}
        for place, (name, _) in enumerate(told):
            by_space.setdefault(name, []).append(place)
        dimensions = {name: len(told[places[0]][1]) // STORED.itemsize for name, places in by_space.items()}
        make_missing_spaces(dimensions, self._max_spaces, now)
        gone: set[int] = set()
        for name in sorted(by_space):  # in one order everywhere, so that no two processes wait for each other
            places = by_space[name]
            row = lock_space(name)
            if row is None:
                for place in places:
                    learned[place] = Learned(fault=_not_made(dimensions[name], self._max_spaces))
            else:
                judged = _judged(row, [told[place][1] for place in places])
                vectors = [None if isinstance(each, Finding) else each for each in judged]
                results = self._learn_in(row, vectors, now, gone)
                for place, each, result in zip(places, judged, results, strict=True):
                    learned[place] = Learned(fault=each) if isinstance(each, Finding) else result
        if gone and self._heirs is not None:
            self._heirs.leave(gone, now)
        return [each._replace(pattern=None) if each.pattern in gone else each for each in learned]

    def make_room(self, name: str, count: int, now: datetime) -> int:
        """Lets go of the `count` patterns of a space that would be missed least, as many as are not pinned, in a
        transaction of its own; how many went. What they taught goes to the heirs."""
        try:
            with transaction.atomic():
                row = lock_space(name)
                if row is None or not row.version:
                    return 0
                known = self._of(name)
                with known.lock:
                    gone = self._let_go(known.caught_up(row, now_and_then=True), count)
                    row.revision += 1
                    remove_patterns(row, gone)
                    row.save(update_fields=["revision", "removed_in"])
                    known.revision = row.revision
                if gone and self._heirs is not None:
                    self._heirs.leave(gone, now)
        except BaseException:
            self.forget([name])
            raise
        return len(gone)

    def forget(self, names: Iterable[str]) -> None:
        """After a transaction that learned in these spaces was rolled back: they have seen what never happened."""
        with self._lock:
            for name in names:
                self._known.pop(name, None)

    def _of(self, name: str) -> _KnownSpace:
        with self._lock:
            return self._known.setdefault(name, _KnownSpace())

    def _learn_in(
        self, row: FeatureSpace, vectors: Sequence[Vector | None], now: datetime, all_gone: set[int]
    ) -> Sequence[Learned]:
        given = [vector for vector in vectors if vector is not None]
        fit = given if row.version else _warmed_up(row, given)
        known = self._of(row.name)
        if not fit:
            return [Learned()] * len(vectors)
        with known.lock:
            recognizer = known.caught_up(row)
            learned = [recognizer.learn(vector) for vector in fit]
            row.revision += 1
            changed = {pattern.id: pattern for _, pattern in learned}
            gone = self._make_room(recognizer)
            kept = [each for id, each in changed.items() if id not in gone]
            keep_patterns(row, kept, known.plane_of(row), now)
            if gone:
                remove_patterns(row, gone)
                all_gone |= gone
            row.seen, row.next_pattern = round(recognizer.clock), recognizer.next_id
            row.save(update_fields=["seen", "next_pattern", "revision", "removed_in"])
            known.revision = row.revision
        results = iter(learned[len(fit) - len(given) :])
        return [Learned() if each is None else _as_learned(next(results)) for each in vectors]

    def _make_room(self, recognizer: Recognizer) -> set[int]:
        """The patterns that had to go for new ones."""
        if len(recognizer) <= self._max_patterns:
            return set()
        excess = len(recognizer) - self._max_patterns
        return self._let_go(recognizer, excess + int(self._max_patterns * _EVICTED_AT_ONCE))

    def _let_go(self, recognizer: Recognizer, count: int) -> set[int]:
        gains = self._heirs.gains(recognizer.patterns.keys()) if self._heirs else {}
        typical = sum(gains.values()) / len(gains) if gains else 1.0
        gone = recognizer.least_useful(count, dict(gains), typical)
        return {recognizer.forget(id).id for id in gone}


class _KnownSpace:
    """A space's recognizer as of `revision`. Whoever uses it holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.revision = -1
        self._recognizer: Recognizer | None = None
        self._plane: Plane | None = None
        self._is_plain = False
        """Whether the recognizer compares all, however many."""

    def caught_up(self, row: FeatureSpace, *, now_and_then: bool = False) -> Recognizer:
        """The recognizer, not behind `row`. Who asks `now_and_then` can do without the graph of a large space, which
        takes ten times as long to build as reading the patterns does."""
        recognizer = self._recognizer
        too_plain = self._is_plain and not now_and_then
        if recognizer is None or too_plain or recognizer.space.version != row.version:
            space = Space.from_mapping(row.calibration or {})
            recognizer = self._recognizer = Recognizer(
                space,
                read_patterns(row),
                clock=row.seen,
                graph_above=maxsize if now_and_then else None,
                next_id=row.next_pattern,
            )
            self._plane, self._is_plain = None, now_and_then
        elif row.revision > self.revision:
            if row.removed_in > self.revision:
                left = set(row.patterns.values_list("pk", flat=True))
                for id in set(recognizer.patterns) - left:
                    recognizer.forget(id)
            for pattern in read_patterns(row, self.revision):
                recognizer.put(pattern)
            recognizer.clock = max(recognizer.clock, row.seen)
            recognizer.next_id = max(recognizer.next_id, row.next_pattern)
        recognizer.confidence = Confidence(tuple(row.weights)) if row.weights else Confidence()
        self.revision = max(self.revision, row.revision)
        return recognizer

    def plane_of(self, row: FeatureSpace) -> Plane:
        """On which the patterns of a space that has caught up are drawn."""
        if self._plane is None:
            self._plane = read_plane(row)
        return self._plane


def _judged(row: FeatureSpace, vectors: Sequence[bytes]) -> list[Vector | Finding]:
    """Each vector of the space's dimension that has a direction; of the others what is wrong with them. They are
    counted."""
    judged = [_comparable(row, vector_from_bytes(each)) for each in vectors]
    if refused := sum(isinstance(each, Finding) for each in judged):
        count_refused(row.name, refused)
    return judged


def _comparable(row: FeatureSpace, vector: Vector) -> Vector | Finding:
    if len(vector) == row.dimension and vector.any():
        return vector
    try:
        return checked_features(vector, row.dimension)
    except ValidationError as wrong:
        return findings_of(wrong, {"features": vector.tolist()})[0]


def _warmed_up(row: FeatureSpace, vectors: Sequence[Vector]) -> list[Vector]:
    """Keeps `vectors` for the calibration; with the last one that it takes calibrates the space, and gives all that
    waited for it, else none."""
    WarmUpVector.objects.bulk_create(
        WarmUpVector(space=row, vector=vector_to_bytes(vector)) for vector in vectors
    )
    row.seen += len(vectors)
    if row.seen < WARM_UP:
        row.save(update_fields=["seen"])
        return []
    waiting = [vector_from_bytes(bytes(each.vector)) for each in row.warm_up.order_by("pk")]
    row.version, row.seen = 1, 0
    first = np.stack(waiting[:WARM_UP])
    space = calibrate(first, row.version)
    row.calibration = space.to_mapping()
    row.save(update_fields=["version", "calibration", "seen"])
    keep_plane(row, principal_plane(space.normalise_all(first)))
    row.warm_up.all().delete()
    return waiting


def _nothing_to_confirm() -> ValidationError:
    message = "are like no pattern, so that there is no match to confirm"
    return ValidationError(
        "There is no match to confirm.", [{"field": "features", "code": "novel", "message": message}]
    )


def _not_made(dimension: int, max_spaces: int) -> Finding:
    """Why there is no such space."""
    longest = limits().constraints.max_pattern_size
    if dimension > longest:
        message = f"has {dimension:,} numbers, more than max_pattern_size = {longest:,}: reduce the embedding"
        return error("too_long", "features", message)
    message = f"would be one more than {max_spaces} spaces: use one that is there, or raise FEATUREMEMORY_MAX_SPACES"
    return error("no_room", "space", message)


def _full(name: str, limit: int) -> ResourceConstraintError:
    return ResourceConstraintError(
        f"There are {limit} feature spaces already, so {name!r} cannot be made: use one that is there, or raise "
        "FEATUREMEMORY_MAX_SPACES.",
        resource="spaces",
        limit=limit,
    )


def _as_learned(result: tuple[Recognition, Pattern]) -> Learned:
    found, pattern = result
    return Learned(found, pattern.id)
