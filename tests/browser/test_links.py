"""A page is the same for whoever it is sent to, and still for whoever wants it still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from featurememory.models import Operation

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
CHARTS = ("latency", "rate", "errors", "saturation", "bands")
_MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
    const { animationName, animationDuration, transitionDuration } = getComputedStyle(element);
    const takes = (durations) => durations.split(",").some((each) => parseFloat(each) > 0);
    return (animationName !== "none" && takes(animationDuration)) || takes(transitionDuration);
}).length"""


def figures(page: Page) -> list[str]:
    page.wait_for_function("() => document.querySelectorAll('.plot .main-svg').length >= 4")
    return [page.locator(f"#chart-{key} script").first.text_content() or "" for key in CHARTS]


def test_a_copied_link_gives_the_same_figures_to_somebody_else(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto("/?range=15m&compare=day")
    page.locator("summary", has_text="Custom").click()
    page.get_by_role("link", name="Earlier").click()
    page.goto(page.evaluate("document.querySelector('[data-copy-link]').href"))
    mine = figures(page)

    theirs = context_of("olga").new_page()
    theirs.goto(page.url)

    assert figures(theirs) == mine
    assert Operation.objects.exists()
    assert all('"y":[' in each for each in mine)


@pytest.mark.parametrize("path", ["/", "/breakers/"])
def test_nothing_moves_for_who_asked_for_less_motion(
    situation: Build, context_of: Contexts, path: str
) -> None:
    situation("empty")
    page = context_of("viktor", reduced_motion="reduce").new_page()
    page.goto(path)
    assert page.evaluate(_MOVING) == 0


def test_what_waits_beats_for_everybody_else(situation: Build, context_of: Contexts) -> None:
    situation("empty")
    page = context_of("viktor", reduced_motion="no-preference").new_page()
    page.goto("/")
    assert page.evaluate(_MOVING) > 0
