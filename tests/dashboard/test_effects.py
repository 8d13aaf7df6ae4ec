"""Gains in words, and intervals as they are drawn."""

from __future__ import annotations

from math import log

import pytest

from dashboard.effects import WIDTH, Gain, Scale, gain, saved_words
from dashboard.parameter_sets import compared
from dashboard.words import NBSP


def faster(share: float) -> float:
    """The effect of taking so much less time; negative: so much more."""
    return -log(1 - share)


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (Gain("duration", faster(0.14), faster(0.09), faster(0.19)), "14 % faster, between 9.0 and 19 %"),
        (Gain("duration", faster(-0.5), faster(-1.0), faster(-0.2)), "50 % slower, between 20 and 100 %"),
        (
            Gain("duration", faster(0.03), faster(-0.04), faster(0.1)),
            "3.0 % faster, between 4.0 % slower and 10 % faster",
        ),
        (
            Gain("duration", 0.0001, -900.0, 0.1),
            "0 % faster, between over 1,000,000 % slower and 9.5 % faster",
        ),
        (Gain("score", 0.031, 0.01, 0.052), "0.031 points better, between 0.01 and 0.052 points"),
        (
            Gain("score", -0.031, -0.04, 0.052),
            "0.031 points worse, between 0.04 points worse and 0.052 points better",
        ),
        (Gain("both", 1.5, 1.25, 1.75), "1.5 better, between 1.2 and 1.8"),
    ],
)
def test_a_gain_is_told_with_its_interval(each: Gain, words: str) -> None:
    assert each.words.replace(NBSP, " ") == words


def test_what_is_not_known_is_no_gain() -> None:
    assert gain("duration", None, None, None) is None
    assert gain(None, 0.1, 0.0, 0.2) == Gain("both", 0.1, 0.0, 0.2)


@pytest.mark.parametrize(("low", "high", "tone"), [(0.1, 0.3, "ok"), (-0.3, -0.1, "bad"), (-0.1, 0.3, "off")])
def test_only_an_interval_on_one_side_of_the_baseline_has_a_colour(
    low: float, high: float, tone: str
) -> None:
    assert Gain("score", (low + high) / 2, low, high).tone == tone


def test_the_baseline_stands_in_the_middle_and_better_is_right_of_it() -> None:
    good, bad = Gain("score", 0.2, 0.1, 0.3), Gain("score", -0.2, -0.3, -0.1)
    scale = Scale.of([good, bad, None])

    right, left = scale.draw(good), scale.draw(bad)

    assert WIDTH / 2 < right.x < right.middle < right.x + right.width < WIDTH
    assert right.middle - WIDTH / 2 == pytest.approx(WIDTH / 2 - left.middle, abs=0.2)
    assert not right.is_cut_high
    assert not left.is_cut_low


def test_one_very_wide_interval_does_not_dwarf_the_others() -> None:
    narrow, wide = Gain("score", 0.2, 0.1, 0.3), Gain("score", 0.0, -5.0, 5.0)
    scale = Scale.of([narrow, wide])

    assert scale.draw(wide).is_cut_low
    assert scale.draw(wide).is_cut_high
    assert scale.draw(narrow).width > 5


def test_a_scale_of_nothing_can_be_drawn_on() -> None:
    assert Scale.of([]).draw(Gain("score", 0.0, 0.0, 0.0)).middle == WIDTH / 2


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((210, 150, 270), "saves 210 ms, between 150 ms and 270 ms"),
        ((-210, -270, -150), "costs 210 ms, between 150 ms and 270 ms"),
        ((30, -20, 80), "saves 30 ms, between 20 ms lost and 80 ms saved"),
    ],
)
def test_time_saved_is_told_with_its_interval(figures: tuple[float, float, float], words: str) -> None:
    assert saved_words(*figures).replace(NBSP, " ") == words


def test_only_what_differs_from_the_baseline_stands_out() -> None:
    those = compared(
        {"steps": 20, "guidance": 3.5, "name": "x", "flag": True}, {"steps": 50, "guidance": 3.50}
    )

    assert those.words == "flag=true, name=x, steps=20"
    assert [each.name for each in those.unchanged] == ["guidance"]
    assert {each.name: each.baseline for each in those.changed} == {"flag": None, "name": None, "steps": "50"}


def test_equal_numbers_do_not_differ_and_true_is_no_one() -> None:
    assert compared({"a": 1.0, "b": True}, {"a": 1, "b": 1}).words == "b=true"


def test_a_set_without_differences_says_all_of_itself() -> None:
    assert compared({"b": 1, "a": [1, 2]}, {"a": [1, 2], "b": 1}).words == "a=[1, 2], b=1"
    assert compared({}, {}).words == "no parameters"
    assert compared({"text": "x" * 500}, None).words == f"text={'x' * 79}…"
