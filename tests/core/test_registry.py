"""Each process's memory of a space: in step with the database, whoever learned, whatever was rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from django.db import transaction

from featurememory.core.errors import UnknownPattern, UnknownSpace
from featurememory.core.features import Matrix
from featurememory.core.operator_actions import change_pattern, merge_pattern, remove_pattern
from featurememory.core.recognizer import Recognition
from featurememory.core.registry import Learned, SpaceRegistry
from featurememory.core.spaces import WARM_UP, vector_to_bytes
from featurememory.core.storage import PATTERNS_A_SPACE
from featurememory.errors import ResourceConstraintError, ValidationError
from featurememory.models import AuditEntry, FeatureSpace, Pattern, WarmUpVector
from tests.core.spaces import scattered

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
STATISTICS = ("id", "centroid", "count", "spread", "visits", "seen_at")
BY_OLGA = {"actor": "olga", "reason": "a test"}


def registry(**limits: int) -> SpaceRegistry:
    return SpaceRegistry(**{"max_spaces": 10, "max_patterns": 1_000} | limits)


def inputs(count: int = 600, seed: int = 0) -> Matrix:
    """In random order; more kinds than the warm-up has seen."""
    vectors = scattered(30, count // 30, seed)
    return np.random.default_rng(seed).permutation(vectors)


def learn(to: SpaceRegistry, vectors: Matrix | Sequence[Any], space: str = "s") -> list[Learned]:
    with transaction.atomic():
        return to.learn([(space, vector_to_bytes(np.asarray(each, np.float32))) for each in vectors], NOW)


def batches(vectors: Matrix, size: int = 7) -> Iterator[Matrix]:
    return (vectors[first : first + size] for first in range(0, len(vectors), size))


def statistics(space: str = "s") -> list[tuple[Any, ...]]:
    rows = Pattern.objects.filter(space__name=space).order_by("id").values_list(*STATISTICS)
    return [(id % PATTERNS_A_SPACE, bytes(centroid), *rest) for id, centroid, *rest in rows]


def ready(**limits: int) -> tuple[SpaceRegistry, Matrix]:
    """A registry whose space `s` is calibrated, and inputs that it has not seen."""
    ours, vectors = registry(**limits), inputs()
    learn(ours, vectors[:WARM_UP])
    return ours, vectors[WARM_UP:]


def recognised(by: SpaceRegistry, vector: Any) -> Recognition:
    found = by.recognise("s", list(map(float, vector)))
    assert found is not None
    return found


def test_the_first_vectors_calibrate_the_space_and_are_learned_then() -> None:
    ours, vectors = registry(), inputs()
    assert learn(ours, vectors[: WARM_UP - 1]) == [Learned()] * (WARM_UP - 1)
    assert ours.recognise("s", vectors[0].tolist()) is None
    assert (FeatureSpace.objects.get().version, WarmUpVector.objects.count()) == (0, WARM_UP - 1)
    last, after = learn(ours, vectors[WARM_UP - 1 : WARM_UP + 1])
    assert last.pattern is not None
    assert after.found is not None
    assert (FeatureSpace.objects.get().version, WarmUpVector.objects.count()) == (1, 0)
    assert (
        sum(Pattern.objects.values_list("count", flat=True)) == WARM_UP + 1 == FeatureSpace.objects.get().seen
    )


def test_what_was_learned_is_recognised() -> None:
    ours, vectors = ready()
    (learned,) = learn(ours, vectors[:1])
    found = recognised(ours, vectors[0])
    assert (found.pattern, found.verdict) == (learned.pattern, "match")
    assert found.similarity > 0.99


def test_two_processes_that_take_turns_learn_what_a_single_one_does() -> None:
    vectors = inputs()
    alone = registry()
    for batch in batches(vectors):
        learn(alone, batch)
    expected = statistics()
    FeatureSpace.objects.all().delete()
    for turn, batch in zip(cycle([registry(), registry()]), batches(vectors), strict=False):
        learn(turn, batch)
    assert statistics() == expected


def test_a_restart_in_between_changes_nothing() -> None:
    vectors = inputs()
    learn(registry(), vectors)
    expected = statistics()
    FeatureSpace.objects.all().delete()
    for batch in batches(vectors, 50):
        learn(registry(), batch)
    assert statistics() == expected


def test_what_was_rolled_back_was_never_learned() -> None:
    ours, vectors = ready()
    others = registry()
    with transaction.atomic():
        ours.learn([("s", vector_to_bytes(each)) for each in vectors[:100]], NOW)
        transaction.set_rollback(True)
    ours.forget(["s"])
    before = statistics()
    assert recognised(ours, vectors[0]).nearest == recognised(others, vectors[0]).nearest
    learn(ours, vectors)
    after = statistics()
    FeatureSpace.objects.all().delete()
    undisturbed, again = ready()
    assert before == statistics()
    learn(undisturbed, again)
    assert after == statistics()


def test_another_process_recognises_what_was_just_learned_and_forgets_what_was_removed() -> None:
    ours, vectors = ready()
    others = registry()
    recognised(others, vectors[0])
    learn(ours, vectors)
    for vector in vectors[::40]:
        assert recognised(others, vector).nearest == recognised(ours, vector).nearest
    pattern = recognised(others, vectors[0]).pattern
    assert pattern is not None
    remove_pattern(pattern, **BY_OLGA)
    assert pattern not in {near.id for near in recognised(others, vectors[0]).nearest}
    assert pattern not in {near.id for near in recognised(ours, vectors[0]).nearest}


def test_a_number_is_never_given_twice() -> None:
    ready()
    newest = Pattern.objects.latest("id").pk
    remove_pattern(newest, **BY_OLGA)
    strange = np.full(8, 1e6, np.float32) * [1, -1, 1, -1, 1, -1, 1, -1]
    (learned,) = learn(registry(), [strange])
    assert learned.pattern is not None
    assert learned.pattern > newest


def test_the_least_useful_make_room_and_pinned_ones_never() -> None:
    ours, vectors = ready(max_patterns=15)
    assert Pattern.objects.count() <= 15
    pinned = Pattern.objects.earliest("visits").pk
    change_pattern(pinned, pinned=True, **BY_OLGA)
    learn(ours, vectors)
    assert Pattern.objects.count() <= 15
    assert Pattern.objects.filter(pk=pinned).exists()
    assert {near.id for near in recognised(ours, vectors[0]).nearest} <= set(
        Pattern.objects.values_list("pk", flat=True)
    )


def test_learning_leaves_the_operators_label_and_pin_alone() -> None:
    ours, vectors = ready()
    pattern = recognised(ours, vectors[0]).pattern
    assert pattern is not None
    change_pattern(pattern, label=" drums ", pinned=True, **BY_OLGA)
    before = Pattern.objects.get(pk=pattern)
    learn(ours, [vectors[0]])
    after = Pattern.objects.get(pk=pattern)
    assert (after.label, after.pinned, after.count) == ("drums", True, before.count + 1)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.before["label"], entry.after["label"]) == (
        "pattern.change", "olga", "", "drums",
    )  # fmt: skip


def test_a_merged_pattern_has_seen_what_both_had() -> None:
    ours, vectors = ready()
    kept, gone = Pattern.objects.order_by("-count")[:2]
    merge_pattern(gone.pk, kept.pk, **BY_OLGA)
    whole = Pattern.objects.get(pk=kept.pk)
    assert whole.count == kept.count + gone.count
    assert not Pattern.objects.filter(pk=gone.pk).exists()
    assert gone.pk not in {near.id for near in recognised(ours, vectors[0]).nearest}
    with pytest.raises(UnknownPattern):
        merge_pattern(gone.pk, kept.pk, **BY_OLGA)
    with pytest.raises(ValidationError, match="into"):
        merge_pattern(kept.pk, kept.pk, **BY_OLGA)


def test_patterns_of_two_spaces_do_not_merge() -> None:
    ours, _ = ready()
    learn(ours, inputs(seed=1), "other")
    one = Pattern.objects.filter(space__name="s")[0]
    other = Pattern.objects.filter(space__name="other")[0]
    with pytest.raises(ValidationError) as refused:
        merge_pattern(one.pk, other.pk, **BY_OLGA)
    assert "same feature space" in refused.value.errors[0]["message"]
    assert Pattern.objects.filter(pk__in=[one.pk, other.pk]).count() == 2


def test_what_cannot_be_compared_is_counted_and_teaches_nothing() -> None:
    ours, _ = ready()
    before = statistics()
    faults = [each.fault for each in learn(ours, [[1.0, 2.0], [0.0] * 8])]
    assert [fault and fault.code for fault in faults] == ["dimension", "zero"]
    assert (FeatureSpace.objects.get().refused, statistics()) == (2, before)


def test_a_space_comes_into_being_by_learning_alone_and_as_many_as_there_is_room_for() -> None:
    ours = registry(max_spaces=1)
    with pytest.raises(UnknownSpace):
        ours.recognise("s", [1.0])
    ours.learn_one("s", [1.0, 2.0], NOW)
    with pytest.raises(ResourceConstraintError, match="FEATUREMEMORY_MAX_SPACES"):
        ours.learn_one("t", [1.0, 2.0], NOW)
    (refused,) = learn(ours, [[1.0, 2.0]], "t")
    assert (refused.pattern, refused.fault and refused.fault.code) == (None, "no_room")
    with pytest.raises(ValidationError, match="has 1 numbers, but its feature space has 2"):
        ours.learn_one("s", [1.0], NOW)
    assert list(FeatureSpace.objects.values_list("name", "dimension", "seen")) == [("s", 2, 1)]
