"""Figures as people read them."""

from __future__ import annotations

import pytest

from dashboard import words


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0.0421, "42 µs"),
        (0.9996, "1 ms"),
        (9.994, "9.99 ms"),
        (38.72, "38.7 ms"),
        (860, "860 ms"),
        (999.6, "1 s"),
        (4_160, "4.16 s"),
        (125_000, "2 min 5 s"),
        (3_600_000, "60 min"),
        (8_100_000, "2 h 15 min"),
    ],
)
def test_durations_take_the_unit_that_fits(milliseconds: float | None, text: str) -> None:
    assert words.duration(milliseconds).replace(words.NBSP, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1e-6, "< 0.01 %"),
        (0.001, "0.10 %"),
        (0.178, "17.8 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_never_shows_something_as_nothing_nor_nearly_all_as_all(
    value: float | None, text: str
) -> None:
    assert words.share(value).replace(words.NBSP, " ") == text


@pytest.mark.parametrize(
    ("calls", "seconds", "text"),
    [(0, 60, "0/s"), (12, 60, "12/min"), (132, 60, "2.2/s"), (600_000, 60, "10,000/s")],
)
def test_rare_calls_are_given_by_the_minute(calls: int, seconds: float, text: str) -> None:
    assert words.rate(calls, seconds) == text


def test_counts_separate_thousands_and_shorten_millions() -> None:
    assert words.count(7_938) == "7,938"
    assert words.count(12_340_000).replace(words.NBSP, " ") == "12.3 M"


def test_a_long_list_of_names_is_cut() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
