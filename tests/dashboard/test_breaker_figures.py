"""What a breaker has counted, in words that stay true in every state."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.breaker_figures import failed, figures, in_a_row
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.machine import BreakerMachine

CONFIG = BreakerConfig(minimum_calls=4, window_size=10)


def status(results: str, config: BreakerConfig = CONFIG, seconds: float = 0.0) -> Any:
    """How a breaker stands after successes (S), failures (F) and slow successes (L)."""
    machine = BreakerMachine(config, random=lambda: 0.0)
    for letter in results:
        machine.observe("failure" if letter == "F" else "success", 0, 0, 100 if letter == "L" else 0)
    return machine.status(seconds)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ("", "no call in the window"),
        ("S", "the one call in the window did not fail"),
        ("SSS", "none of the last 3 calls failed"),
        ("SF", "1 of the last 2 calls failed"),
        ("SSSF", "1 of the last 4 calls failed (25 %)"),
        ("F", "the one call in the window failed"),
    ],
)
def test_failures_of_how_many(results: str, words: str) -> None:
    assert failed(status(results), CONFIG).replace("\u00a0", " ") == words


def test_a_window_of_time_says_its_time() -> None:
    config = BreakerConfig(window_type="time", window_size=120)

    assert failed(status("SFS", config), config) == "1 of the 3 calls of the last 2\u00a0min failed"


@pytest.mark.parametrize(("limit", "words"), [(5, "2 of 5 failures in a row"), (0, "2 failures in a row")])
def test_failures_in_a_row(limit: int, words: str) -> None:
    config = CONFIG._replace(max_failures=limit)

    assert in_a_row(status("SFF", config), config) == words
    assert in_a_row(status("FFS", config), config) == ""


def test_how_near_it_is_to_opening() -> None:
    by_title = {each.title: each for each in figures(status("SSSSSLFF"), CONFIG)}

    assert by_title["Failures in a row"].nearness == 2 / 5
    assert by_title["Failure rate"].nearness == (2 / 8) / 0.5
    assert by_title["Slow-call rate"].nearness == 1 / 8
    assert by_title["Probes"].nearness is None


def test_what_is_not_judged_is_not_near_to_anything() -> None:
    config = CONFIG._replace(max_failures=0)

    assert [each.nearness for each in figures(status("SFF", config), config)] == [None] * 4


def test_no_figure_is_nearer_than_near() -> None:
    opened = status("FFFFF")

    assert opened.state == "open"
    assert max(each.nearness or 0 for each in figures(opened, CONFIG)) == 1


def test_probing_it_counts_probes_and_not_calls() -> None:
    machine = BreakerMachine(CONFIG, random=lambda: 0.0)
    for _ in range(5):
        machine.observe("failure", 0, 0)
    machine.admit(2)
    machine.observe("failure", 2, 2)
    probing = machine.status(2)

    by_title = {each.title: each for each in figures(probing, CONFIG)}

    assert failed(probing, CONFIG) == "1 of 1 probe failed"
    assert by_title["Probes"].value == "1 of 3 out"
    assert by_title["Probes"].detail == "1 back, 1 of them failed; 3 probes decide"
