"""Features are taken as numbers or refused by name, with what would be right."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.core.features import checked_features
from featurememory.errors import ValidationError

real_numbers = st.one_of(st.floats(-3e38, 3e38), st.integers(-(2**60), 2**60))


@given(st.lists(real_numbers, min_size=1, max_size=20))
def test_real_numbers_become_float32_or_are_too_small_to_say_anything(values: list[float]) -> None:
    expected = np.array(values, np.float64).astype(np.float32)
    if expected.any():
        assert checked_features(values).tobytes() == expected.tobytes()
    else:
        with pytest.raises(ValidationError):
            checked_features(values)


@pytest.mark.parametrize(
    ("values", "field", "code", "says"),
    [
        ([1.0, nan], "features[1]", "finite", "is nan: give a finite number"),
        ([1.0, 2.0, -inf], "features[2]", "finite", "is -inf"),
        ([1e39], "features[0]", "finite", "is 1e+39"),
        ([10**400], "features", "range", "whole number beyond"),
        ([1.0, None], "features[1]", "type", "is null: give a number"),
        ([1.0, True], "features[1]", "type", "of type bool"),
        (["1.0"], "features[0]", "type", "of type str"),
        ([1.0, Decimal(2)], "features[1]", "type", "of type Decimal"),
        ([[1.0], [2.0]], "features[0]", "type", "of type list"),
        ([], "features", "empty", "give at least one number"),
        ([0, 0.0, -0.0], "features", "zero", "is zero throughout"),
        ([1.0] * 16_385, "features", "too_long", "has 16,385 numbers, more than the 16,384 allowed"),
        ("abc", "features", "type", "of type str: give a list of numbers"),
        (b"abc", "features", "type", "of type bytes"),
        (None, "features", "type", "of type NoneType"),
        ({"a": 1.0}, "features", "type", "of type dict"),
        (np.ones((2, 2)), "features", "shape", "has 2 dimensions"),
        (np.array([True]), "features", "type", "of type bool"),
        (np.array([1j]), "features", "type", "of type complex128"),
        (np.array([nan, 1.0]), "features[0]", "finite", "is nan"),
    ],
)
def test_what_cannot_be_taken_is_named(values: Any, field: str, code: str, says: str) -> None:
    with pytest.raises(ValidationError, match=r"\.$") as refusal:
        checked_features(values)
    (error,) = refusal.value.errors
    assert (error["field"], error["code"]) == (field, code)
    assert says in error["message"] == str(refusal.value)


def test_a_vector_of_another_dimension_is_told_that_of_its_space() -> None:
    with pytest.raises(ValidationError, match="has 2 numbers, but its feature space has 768"):
        checked_features([1.0, 2.0], 768)


def test_the_field_is_named_as_the_caller_knows_it() -> None:
    with pytest.raises(ValidationError, match=r"^query\.vector\[0\] is nan"):
        checked_features([nan], field="query.vector")


def test_the_callers_own_array_is_not_kept() -> None:
    given_array = np.ones(3, np.float32)
    taken = checked_features(given_array)
    given_array[0] = 7
    assert taken.tolist() == [1, 1, 1]


def test_numbers_of_numpy_are_numbers() -> None:
    assert checked_features([np.float32(1), np.int64(2), 3]).tolist() == [1, 2, 3]
