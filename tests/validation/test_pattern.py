"""What the pattern validator passes can be learned; what it refuses says which field, and what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurememory.core.registry import SpaceRegistry
from featurememory.core.spaces import WARM_UP, vector_to_bytes
from featurememory.models import FeatureSpace
from featurememory.validation.known import pattern_thresholds
from featurememory.validation.pattern import Likeness, PatternThresholds, PatternValidator
from featurememory.validation.results import Subject, ValidationResult
from tests.core.spaces import scattered

OF_FOUR = PatternThresholds(max_size=8, dimension=4, typical_norm=2.0)


def judged(data: Any, thresholds: PatternThresholds = OF_FOUR, **more: Any) -> ValidationResult:
    return PatternValidator(lambda subject: thresholds, **more)(data, Subject(space="s"))


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ([1.0, 2.0], "dimension", "features"),
        ([0.0] * 4, "zero", "features"),
        ([], "empty", "features"),
        ([1.0] * 9, "too_long", "features"),
        ([1.0, nan, 0.0, 0.0], "finite", "features[1]"),
        ([1.0, 0.0, inf, 0.0], "finite", "features[2]"),
        ([1.0, None, 0.0, 0.0], "type", "features[1]"),
        ("1, 2, 3, 4", "type", "features"),
        ({"vector": [1.0]}, "missing", "features"),
        ([1e-20, 0.0, 0.0, 0.0], "norm", "features"),
    ],
)
def test_what_cannot_be_compared_is_an_error(data: Any, code: str, field: str) -> None:
    found = judged(data)
    assert [(each.code, each.field) for each in found.errors] == [(code, field)]
    assert not found.is_valid


@pytest.mark.parametrize(
    ("data", "code"),
    [([1.0] * 4, "constant"), ([1e3, 1.0, 0.0, 0.0], "magnitude"), ([1e-3, 1e-4, 0.0, 0.0], "magnitude")],
)
def test_what_is_odd_is_a_warning(data: Any, code: str) -> None:
    found = judged(data)
    assert (found.is_valid, [each.code for each in found.warnings]) == (True, [code])


def test_a_novel_vector_is_a_warning_with_its_nearest_similarity() -> None:
    found = judged([1.0, 2.0, 0.0, 0.0], likeness=lambda subject, vector: Likeness("novel", 0.25))
    assert [(each.code, each.value) for each in found.warnings] == [("novelty", "0.25")]


def test_the_result_names_what_was_checked_and_by_which_thresholds() -> None:
    metadata = judged([1.0, 2.0, 0.0, 0.0]).metadata
    assert metadata["thresholds"]["dimension"] == 4
    assert "zero" in metadata["checked"]


@pytest.fixture
def calibrated(db: None, now: Any) -> Iterator[SpaceRegistry]:
    spaces = SpaceRegistry(10, 1_000)
    with transaction.atomic():
        spaces.learn([("s", vector_to_bytes(each)) for each in scattered(20, WARM_UP // 20)], now)
    return spaces


numbers = st.floats(width=32) | st.integers(-5, 5) | st.none() | st.booleans() | st.floats(-3, 3)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(numbers, max_size=10) | st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_what_passes_is_learned_and_what_does_not_has_a_field_and_a_fix(
    calibrated: SpaceRegistry, now: Any, data: list[Any]
) -> None:
    found = PatternValidator(pattern_thresholds)(data, Subject(space="s"))
    if found.is_valid:
        assert calibrated.learn_one("s", data, now).pattern is not None
        assert calibrated.recognise("s", data) is not None
    else:
        assert all(each.field.startswith("features") and ":" in each.message for each in found.errors)
        assert all(each.severity == "error" for each in found.errors)


def test_thresholds_are_the_spaces_own(calibrated: SpaceRegistry) -> None:
    known = pattern_thresholds(Subject(space="s"))
    lengths = np.linalg.norm(scattered(20, WARM_UP // 20), axis=1)
    assert known.dimension == FeatureSpace.objects.get().dimension
    assert known.typical_norm == pytest.approx(float(np.sqrt(np.mean(lengths**2))), rel=0.15)
    assert pattern_thresholds(Subject(space="nobody's")).dimension is None
