"""Confidence means what it says once matches have been confirmed, and stays sensible whatever they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.core.confidence import ENOUGH_CONFIRMATIONS, SHIPPED, Confidence, fitted, signs_of
from tests.core.spaces import space


def some_signs(count: int, seed: int = 0) -> np.ndarray:
    calibrated, chance = space(), np.random.default_rng(seed)
    similarities, margins = chance.uniform(0, 1, count), chance.uniform(0, 0.3, count)
    seen = chance.integers(1, 50, count).tolist()
    return np.array(
        [
            signs_of(calibrated, *each)
            for each in zip(similarities.tolist(), margins.tolist(), seen, strict=True)
        ]
    )


@given(st.floats(-1.1, 1.1), st.floats(0, 3), st.integers(0, 10**9))
def test_confidence_is_a_probability(similarity: float, margin: float, count: int) -> None:
    assert 0 <= Confidence().of(signs_of(space(), similarity, margin, count)) <= 1


def test_the_more_similar_the_surer() -> None:
    calibrated = space()
    confidences = [
        Confidence().of(signs_of(calibrated, similarity, 0.1, 5))
        for similarity in np.linspace(calibrated.typical, calibrated.nearest, 20).tolist()
    ]
    assert confidences == sorted(confidences)
    assert confidences[0] < 0.1
    assert confidences[-1] > 0.5


def test_few_confirmations_change_nothing() -> None:
    few = ENOUGH_CONFIRMATIONS - 1
    assert fitted(some_signs(few), np.zeros(few, bool)).weights == SHIPPED


@pytest.mark.parametrize("right", [True, False])
def test_confirmations_that_all_agree_are_believed_without_running_away(right: bool) -> None:
    signs = some_signs(200)
    confidence = fitted(signs, np.full(200, right))
    assert np.isfinite(confidence.weights).all()
    mean = float(np.mean([confidence.of(each) for each in signs]))
    assert (mean > 0.9) if right else (mean < 0.1)


@given(st.integers(0, 1_000), st.floats(0.1, 0.9))
def test_confidence_agrees_on_average_with_what_was_confirmed(seed: int, share: float) -> None:
    signs = some_signs(300, seed)
    correct = np.random.default_rng(seed).random(300) < share
    confidence = fitted(signs, correct)
    assert float(np.mean([confidence.of(each) for each in signs])) == pytest.approx(correct.mean(), abs=0.06)
