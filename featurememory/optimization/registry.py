"""This process's memory of each study, in step with the database.

What is asked is answered from memory, after one look at the study's revision; what other processes have learned
since is read first. What is learned is learned inside the caller's transaction, under the lock of the study's row, so
that all processes learn one after the other. After a rollback `forget` has the study read anew.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from featurememory.models import Arm, PatternEvidence, Study
from featurememory.optimization import study as plain
from featurememory.optimization.effectiveness import PatternLift, pattern_lift
from featurememory.optimization.lifecycle import Change
from featurememory.optimization.parameters import digest
from featurememory.optimization.pooling import Sister, sister_of, sisters_prior
from featurememory.optimization.records import PatternRecord
from featurememory.optimization.settings import Settings
from featurememory.optimization.storage import (
    Move,
    Standing,
    arms_of,
    keep_evidence,
    keep_standings,
    packed,
    record_moves,
    settings_of,
    unpacked,
)

MAX_ARMS = 32
"""Parameter sets that a study compares."""
MAX_OBSERVED = 8
"""Of those, the ones that nobody proposed."""
_SIGHTINGS_KEPT = 1_000
SIGHTINGS = 3
"""Operations with unknown parameters that make these a candidate."""


class KnownStudy:
    """A study as of `revision`. Whoever uses it holds `lock`; whoever changes it also holds the row's."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.revision = -1
        self.settings = Settings()
        self.study = plain.Study()
        self._estimated = 0
        self._arms: dict[int, Arm] = {}
        self._numbers: dict[str, int] = {}
        self._sightings: Counter[str] = Counter()

    def catch_up(self, row: Study, *, is_locked: bool) -> None:
        """Reads what changed since; `row` may lack state and estimate. Under the row's lock nothing newer than it can
        be true: it was rolled back."""
        if is_locked and row.revision < self.revision:
            self.revision, self._estimated = -1, 0
        if row.revision <= self.revision:
            return
        settings = self.settings = settings_of(row.operation_type)
        stored = Study.objects.values_list("state", "estimated").get(pk=row.pk)
        if row.reloaded_in > self.revision:
            self.revision, self._estimated = -1, 0
        if self.revision < 0:
            self.study = plain.Study(settings.objective, settings.policy)
        learner = self.study.learner
        learner.config = settings.policy
        state, estimated = stored
        if state:
            self.study.restore(state)
        if estimated != self._estimated:
            data = Study.objects.values_list("estimate", flat=True).get(pk=row.pk)
            learner.estimate = unpacked(bytes(data)) if data is not None else None
            self._estimated = estimated
        for evidence in PatternEvidence.objects.filter(study=row, revision__gt=self.revision).iterator(500):
            learner.records[evidence.pattern] = PatternRecord.restored(evidence.pattern, evidence.record)
        self._take_arms(arms_of(row))
        self.revision = row.revision

    @property
    def arms(self) -> Mapping[int, Arm]:
        """By number."""
        return self._arms

    def number_of(self, parameters: Mapping[str, Any]) -> int | None:
        """Of the arm with these parameters, where there is one."""
        return self._numbers.get(digest(parameters))

    def add_arm(
        self, row: Study, parameters: Mapping[str, Any], origin: Arm.Origin, now: datetime
    ) -> int | None:
        """The number of a new arm, or of one that comes back; None where there is no room."""
        learner = self.study.learner
        free = next((number for number in range(learner.arms) if number not in self._arms), None)
        if free is None:
            if learner.arms >= MAX_ARMS:
                return None
            free = learner.add_arm()
            row.estimated += 1
        learner.book.fill(free)
        arm, _ = Arm.objects.update_or_create(
            study=row,
            digest=digest(parameters),
            defaults={"number": free, "retired_at": None},
            create_defaults={
                "number": free,
                "parameters": dict(parameters),
                "origin": origin,
                "created_at": now,
            },
        )
        self._take_arms([*self._arms.values(), arm])
        return free

    def sight(self, row: Study, parameters: Mapping[str, Any], now: datetime) -> int | None:
        """An operation had parameters that no arm has; the number of the arm that it makes of them, if it does."""
        observed = sum(arm.origin == Arm.Origin.OBSERVED for arm in self._arms.values())
        if not self.settings.observe or observed >= MAX_OBSERVED:
            return None
        key = digest(parameters)
        self._sightings[key] += 1
        if self._sightings[key] < SIGHTINGS:
            if len(self._sightings) > _SIGHTINGS_KEPT:
                self._sightings.clear()
            return None
        return self.add_arm(row, parameters, Arm.Origin.OBSERVED, now)

    def retire_arm(self, row: Study, number: int, now: datetime) -> None:
        """Lets go of what is known of an arm, whose number is free then."""
        arm = self._arms[number]
        self.study.clear_arm(number)
        row.estimated += 1
        arm.number, arm.retired_at = None, now
        arm.save(update_fields=["number", "retired_at"])
        self._take_arms([each for each in self._arms.values() if each.number is not None])

    def keep(
        self,
        row: Study,
        changes: Sequence[Change],
        tried: Iterable[tuple[int, int]],
        now: datetime,
        *,
        actor: str = "",
        reason: str = "",
        moves: Sequence[Move] = (),
        touched: Iterable[tuple[int, int]] = (),
    ) -> None:
        """Writes the study back after it was changed; pairs of pattern and arm number that were `tried`, and those
        that something else has `touched`."""
        learner = self.study.learner
        row.revision += 1
        row.state = self.study.snapshot()
        row.operations, row.learned_at = learner.operations, now
        row.estimate_at = learner.estimate_at
        fields = ["state", "operations", "learned_at", "estimate_at", "revision", "reloaded_in"]
        if row.estimated != self._estimated:
            row.estimate = None if learner.estimate is None else packed(learner.estimate)
            fields += ["estimate", "estimated"]
        row.save(update_fields=fields)
        keep_evidence(
            row,
            {
                pattern: learner.records[pattern].snapshot()
                for pattern in learner.changed
                if pattern in learner.records
            },
        )
        learner.changed.clear()
        were_tried = set(tried)
        written = {*were_tried, *touched, *((change.pattern, change.arm) for change in changes)}
        standings = {
            pair: self._standing(*pair, is_tried=pair in were_tried)
            for pair in sorted(written)
            if pair[1] in self._arms
        }
        keep_standings(row, list(standings.values()), now)
        told = [
            Move(
                self._arms[change.arm].pk,
                change.pattern,
                change.before,
                change.after,
                change.cause,
                _evidence(standings[change.pattern, change.arm]),
            )
            for change in changes
            if change.arm in self._arms
        ]
        record_moves(row, [*told, *moves], now, actor=actor, reason=reason)
        self.revision, self._estimated = row.revision, row.estimated

    def re_estimate(self, row: Study) -> None:
        if self.study.learner.estimate is None:
            self.study.learner.book.beta_prior = sisters_prior(self._sisters(row))
        self.study.learner.re_estimate()
        row.estimated += 1

    def lift(self, pattern: int, number: int, baseline: int | None = None) -> PatternLift | None:
        """What an arm gains over the baseline in a pattern; None while nothing is known."""
        learner = self.study.learner
        if learner.estimate is None:
            return None
        reference = learner.baseline if baseline is None else baseline
        return pattern_lift(learner.believed(pattern).lift(number, reference))

    def _standing(self, pattern: int, number: int, *, is_tried: bool) -> Standing:
        record = self.study.learner.records.get(pattern) or PatternRecord(pattern)
        seen = record.seen.get(number)
        is_baseline = number == self.study.learner.baseline
        return Standing(
            self._arms[number].pk,
            pattern,
            record.status(number),
            seen.n if seen else 0,
            None if is_baseline else self.lift(pattern, number),
            is_tried,
        )

    def _take_arms(self, arms: Iterable[Arm]) -> None:
        self._arms = {arm.number: arm for arm in arms if arm.number is not None}
        self._numbers = {arm.digest: number for number, arm in self._arms.items()}

    def _sisters(self, row: Study) -> list[Sister]:
        """What other models of the operation type know of our arms."""
        ours = [
            self._arms[number].digest if number in self._arms else ""
            for number in range(self.study.learner.arms)
        ]
        sisters = []
        others = Study.objects.filter(operation_type=row.operation_type, estimate__isnull=False).exclude(
            pk=row.pk
        )
        for other in others.defer("state"):
            places = {arm.digest: arm.number for arm in arms_of(other)}
            baseline = places.get(ours[self.study.learner.baseline])
            if baseline is not None and other.estimate is not None:
                pooled = unpacked(bytes(other.estimate)).pooled
                sisters.append(sister_of(pooled, [places.get(each) for each in ours], baseline))
        return sisters


class StudyRegistry:
    """For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, KnownStudy] = {}

    @contextmanager
    def caught_up(self, row: Study, *, is_locked: bool = False) -> Iterator[KnownStudy]:
        """The study, not behind `row`, for this thread alone. `is_locked`: the caller holds the row's lock."""
        with self._lock:
            known = self._known.setdefault(row.pk, KnownStudy())
        with known.lock:
            known.catch_up(row, is_locked=is_locked)
            yield known

    @contextmanager
    def changing(self, rows: Sequence[Study]) -> Iterator[None]:
        """Around what changes these studies inside a transaction: where it fails they are read anew."""
        try:
            yield
        except BaseException:
            self.forget(row.pk for row in rows)
            raise

    def forget(self, ids: Iterable[int]) -> None:
        """After a transaction that changed these studies was rolled back."""
        with self._lock:
            for id in ids:
                self._known.pop(id, None)


def _evidence(standing: Standing) -> dict[str, Any]:
    lift = standing.lift
    return {
        "trials": standing.trials,
        **({"effect": lift.lift, "low": lift.interval.low, "high": lift.interval.high} if lift else {}),
    }


@cache
def studies() -> StudyRegistry:
    """The process's own."""
    return StudyRegistry()
