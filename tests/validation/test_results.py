"""What was wrong is said in brief, whatever the value is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.validation.results import (
    MAX_FINDINGS,
    MAX_SUMMARY,
    ValidationResult,
    error,
    summary,
    summary_at,
    warning,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20)
)


@given(anything)
def test_any_value_is_summed_up_in_a_few_characters_that_every_database_holds(value: Any) -> None:
    text = summary(value)
    assert 0 < len(text) <= MAX_SUMMARY
    assert "\0" not in text
    text.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (float("nan"), "nan"),
        ("drum", '"drum"'),
        ([0.5] * 768, "768 values: 0.5, 0.5, 0.5, 0.5, 0.5, 0.5"),
        ({"steps": 1}, "1 entries: steps"),
        (10**40, "a whole number of 133 bits"),
    ],
)
def test_a_summary_says_what_it_is(value: Any, text: str) -> None:
    assert summary(value) == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("features[1]", "nan"),
        ("features.1", "nan"),
        ("parameters.steps", '"many"'),
        ("parameters.none", ""),
        ("features[9]", ""),
    ],
)
def test_the_offending_value_is_found_by_its_field(path: str, text: str) -> None:
    data = {"features": [1.0, float("nan")], "parameters": {"steps": "many"}}
    assert summary_at(data, path) == text


def test_warnings_forbid_nothing_and_errors_are_bounded() -> None:
    assert ValidationResult.of([warning("odd", "f", "m")], {}).is_valid
    many = ValidationResult.of([error(f"e{n}", "f", "m") for n in range(50)], {})
    assert (many.is_valid, len(many.errors), many.code) == (False, MAX_FINDINGS, "e0")
