"""A pattern that goes leaves what it taught: to the one it is merged into, or to what is known in general."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from featurememory.core.errors import UnknownPattern
from featurememory.core.storage import read_patterns
from featurememory.ingestion.transaction import Submission
from featurememory.integration.duplicates import merge_near_duplicates
from featurememory.integration.pattern_actions import merge_pattern, remove_pattern
from featurememory.models import (
    FeatureSpace,
    Optimization,
    OptimizationEvent,
    Pattern,
    PatternEvidence,
    Study,
)
from featurememory.optimization.registry import studies
from featurememory.optimization.upkeep import gains_of
from tests.optimization.test_two_processes import begin, operations, store

pytestmark = pytest.mark.django_db(transaction=True)


def learn(count: int = 360) -> None:
    begin()
    by = store()
    told = operations(count)
    for start in range(0, count, 60):
        by.store([Submission(told[start : start + 60])], timezone.now().timestamp())


def trials(pattern: int) -> int:
    record = PatternEvidence.objects.get(pattern=pattern).record
    return sum(seen[0] for _, seen, *_ in record["arms"].values() if seen)


def most_seen(count: int) -> list[int]:
    known = PatternEvidence.objects.exclude(pattern=0).values_list("pattern", flat=True)
    return sorted(known, key=trials, reverse=True)[:count]


def archived() -> Any:
    return Study.objects.get().state["learner"]["book"]["archived"]


def test_a_merged_pattern_s_trials_go_to_the_other_one() -> None:
    learn()
    kept, gone = most_seen(2)
    together = trials(kept) + trials(gone)
    merge_pattern(gone, kept, actor="ada", reason="the same voice")
    assert trials(kept) == together
    assert not PatternEvidence.objects.filter(pattern=gone).exists()
    assert not Optimization.objects.filter(pattern=gone).exclude(status="retired").exists()
    event = OptimizationEvent.objects.filter(pattern=gone).first()
    assert event is not None
    assert (event.cause, event.actor, event.reason) == ("pattern_gone", "ada", "the same voice")


def test_a_forgotten_pattern_s_evidence_goes_into_the_archive_row() -> None:
    learn()
    (gone,) = most_seen(1)
    before = archived()
    remove_pattern(gone, actor="ada", reason="nobody's voice")
    assert archived() != before
    with pytest.raises(UnknownPattern):
        remove_pattern(gone, actor="ada", reason="again")


def test_every_process_follows_when_a_pattern_goes() -> None:
    learn()
    (gone,) = most_seen(1)
    row = Study.objects.get()
    with studies().caught_up(row) as known:
        assert gone in known.study.learner.records
    remove_pattern(gone, actor="ada", reason="x")
    other = type(studies())()
    with other.caught_up(Study.objects.get()) as known:
        assert gone not in known.study.learner.records
    with studies().caught_up(Study.objects.get()) as known:
        assert gone not in known.study.learner.records


def test_what_makes_room_for_others_leaves_its_evidence_too(settings: Any) -> None:
    settings.CONFIGURATION = dataclasses.replace(settings.CONFIGURATION, max_patterns=20)
    from featurememory.circuit_breaker.fleet import Fleet
    from featurememory.ingestion.series import SeriesRegistry
    from featurememory.ingestion.transaction import GroupTransaction
    from featurememory.integration.spaces import spaces

    spaces.cache_clear()
    begin()
    by = GroupTransaction(SeriesRegistry(10, 10), Fleet(10))
    told = operations(360)
    for start in range(0, 360, 40):
        by.store([Submission(told[start : start + 40])], timezone.now().timestamp())
    assert Pattern.objects.count() <= 20
    left = set(PatternEvidence.objects.exclude(pattern=0).values_list("pattern", flat=True))
    assert left <= set(Pattern.objects.values_list("pk", flat=True))
    assert any(any(row) for row in archived()[0])


def test_patterns_that_gain_are_told_from_those_that_do_not() -> None:
    learn()
    gains = gains_of(list(Pattern.objects.values_list("pk", flat=True)))
    assert all(gain > 0 for gain in gains.values())
    assert len(gains) < Pattern.objects.count()
    assert gains_of([]) == {}


def test_patterns_that_have_drifted_into_each_other_become_one() -> None:
    learn()
    row = FeatureSpace.objects.get()
    one, other, named = sorted(read_patterns(row), key=lambda each: each.id)[:3]
    for each in (other, named):
        near = one.centroid + np.float32(0.001) * each.centroid
        near = (near / np.linalg.norm(near)).astype(np.float32)
        Pattern.objects.filter(pk=each.id).update(centroid=near.tobytes())
    Pattern.objects.filter(pk=named.id).update(label="a name")
    count = Pattern.objects.get(pk=one.id).count + Pattern.objects.get(pk=other.id).count
    assert merge_near_duplicates("s") >= 1
    assert not Pattern.objects.filter(pk=other.id).exists()
    assert Pattern.objects.filter(pk=named.id).exists()
    assert Pattern.objects.get(pk=one.id).count >= count
    assert merge_near_duplicates("unknown") == 0
