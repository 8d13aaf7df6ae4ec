"""The recognizer tells what it has seen from what is new, whatever the history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from featurememory.core.features import Vector
from featurememory.core.recognizer import Recognizer
from tests.core.spaces import DIMENSION, scattered, space

features = st.integers(0, 10_000).map(
    lambda seed: np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
)


def test_an_empty_space_knows_nothing() -> None:
    found = Recognizer(space()).look_up(np.ones(DIMENSION, np.float32))
    assert (found.verdict, found.pattern, found.nearest, found.confidence) == ("novel", None, (), 0.0)
    assert found.similarity == -1


def test_kinds_that_come_again_are_matched_and_a_new_one_is_novel() -> None:
    known, unknown = scattered(20, 10), -scattered(20, 10)[0]
    recognizer = Recognizer(space())
    for vector in known:
        recognizer.learn(vector)
    by_kind = [
        {recognizer.look_up(vector).pattern for vector in known[first : first + 10]}
        for first in range(0, 200, 10)
    ]
    for one in range(20):
        assert not any(by_kind[one] & by_kind[other] for other in range(one)), "two kinds share a pattern"
    assert recognizer.look_up(unknown).verdict == "novel"


def test_looking_up_changes_nothing() -> None:
    recognizer = Recognizer(space())
    pattern = recognizer.learn(scattered(1, 1)[0])[1]
    for _ in range(3):
        assert recognizer.look_up(scattered(1, 1)[0]).pattern == pattern.id
    assert recognizer.patterns == {pattern.id: pattern}
    assert recognizer.clock == 1


def test_two_that_are_equally_near_are_ambiguous() -> None:
    recognizer = Recognizer(space())
    _, pattern = recognizer.learn(scattered(1, 1)[0])
    recognizer.put(type(pattern)(9, pattern.centroid))
    found = recognizer.look_up(scattered(1, 1)[0])
    assert (found.verdict, found.pattern, found.margin) == ("ambiguous", pattern.id, 0.0)


def test_what_comes_again_and_again_outlives_what_came_once() -> None:
    recognizer, vectors = Recognizer(space()), scattered(12, 1)
    for vector in (*vectors, *vectors[:6]):
        recognizer.learn(vector)
    often = {recognizer.look_up(vector).pattern for vector in vectors[:6]}
    assert not often & set(recognizer.least_useful(len(recognizer) - len(often)))


def test_what_gains_outlives_what_only_comes_often() -> None:
    recognizer, (often, paying, *_) = Recognizer(space()), scattered(2, 1)
    for vector in (often, often, paying):
        recognizer.learn(vector)
    pattern = recognizer.look_up(paying).pattern
    assert pattern is not None
    assert recognizer.least_useful(1, {pattern: 2.0}) != [pattern]


def test_confirmations_make_confidence_that_of_the_space() -> None:
    recognizer = Recognizer(space())
    vectors = scattered(20, 10)
    for vector in vectors:
        recognizer.learn(vector)
    before = recognizer.look_up(vectors[0]).confidence
    for vector in vectors[:60]:
        recognizer.confirm(recognizer.look_up(vector).signs, False)
    assert recognizer.look_up(vectors[0]).confidence < before / 2


class RecognizerHistory(RuleBasedStateMachine):
    """Any history of learning, forgetting and starting again."""

    @initialize()
    def begin(self) -> None:
        self.recognizer = Recognizer(space())
        self.learned = 0

    @rule(vector=features)
    def learn(self, vector: Vector) -> None:
        before = dict(self.recognizer.patterns)
        found, pattern = self.recognizer.learn(vector)
        self.learned += 1
        assert (found.pattern is None) == (found.similarity < self.recognizer.space.tau)
        assert (found.pattern is None) == (pattern.id not in before)
        unchanged = {id: each for id, each in self.recognizer.patterns.items() if id != pattern.id}
        assert unchanged == {id: each for id, each in before.items() if id != pattern.id}
        assert pattern.count == (before[pattern.id].count + 1 if pattern.id in before else 1)

    @rule(vector=features)
    def a_vector_just_learned_as_new_is_known(self, vector: Vector) -> None:
        found, pattern = self.recognizer.learn(vector)
        self.learned += 1
        if found.verdict == "novel":
            again = self.recognizer.look_up(vector)
            assert again.pattern == pattern.id
            assert again.similarity == pytest.approx(1, abs=1e-5)

    @rule(vector=features)
    def what_is_shown_is_in_order(self, vector: Vector) -> None:
        found = self.recognizer.look_up(vector)
        similarities = [each.similarity for each in found.nearest]
        assert similarities == sorted(similarities, reverse=True)
        assert 0 <= found.confidence <= 1

    @precondition(lambda self: self.recognizer.patterns)
    @rule()
    def forget_the_least_useful(self) -> None:
        (id,) = self.recognizer.least_useful(1)
        self.recognizer.forget(id)
        assert id not in self.recognizer.patterns

    @rule(vector=features)
    def start_again(self, vector: Vector) -> None:
        before = self.recognizer.look_up(vector)
        again = Recognizer(
            self.recognizer.space, self.recognizer.patterns.values(), clock=self.recognizer.clock
        )
        after = again.look_up(vector)
        assert (after.verdict, after.pattern) == (before.verdict, before.pattern)
        assert [each.id for each in after.nearest] == [each.id for each in before.nearest]
        self.recognizer = again

    @invariant()
    def counts_every_operation(self) -> None:
        if hasattr(self, "recognizer"):
            assert self.recognizer.clock == self.learned


RecognizerHistory.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestRecognizerHistory = RecognizerHistory.TestCase
