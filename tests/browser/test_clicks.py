"""What somebody new finds from the overview, and after how many clicks; with the keyboard too."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Locator, Page, expect

from featurememory.circuit_breaker.commands import Order, reset_breaker
from featurememory.models import AuditEntry
from tests.browser.scenarios import KINDS, store

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
MOST_TABS = 300
SETTLES_MS = 300
BY = pytest.mark.parametrize("by", ["mouse", "keyboard"])
_SPIKE = """() => {
    const plot = document.querySelector("#chart-latency-plot");
    const { x: left, y: top } = plot.querySelector(".nsewdrag").getBoundingClientRect();
    const { xaxis, yaxis } = plot._fullLayout;
    const { x, y } = plot.data.find((trace) => trace.name === "p99");
    const at = y.indexOf(Math.max(...y));
    return [left + xaxis.d2p(x[at]), top + yaxis.d2p(y[at]), at];
}"""


class Finder:
    """Begins on the overview; more clicks than `most` are too many."""

    def __init__(self, context: BrowserContext, most: int, by: str = "mouse") -> None:
        self.page: Page = context.new_page()
        self.left, self.by = most, by
        self.page.goto("/")

    def click(self, what: Locator) -> None:
        self.count()
        if self.by == "mouse":
            what.click()
        else:
            self._tab_to(what)
            self.page.keyboard.press("Enter")
        self.page.wait_for_load_state()

    def go(self, title: str) -> None:
        """To a page of the navigation."""
        link = self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=title, exact=True)
        self.click(link)

    def count(self) -> None:
        self.left -= 1
        assert self.left >= 0, "too many clicks"

    def _tab_to(self, what: Locator) -> None:
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if what.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"The keyboard does not reach {what}.")


def _spike(page: Page) -> tuple[float, float, int]:
    """Where the highest p99 is in the window once the chart has settled, and which point it is."""
    page.wait_for_function("() => document.querySelectorAll('.plot .main-svg').length >= 4")
    page.locator("#chart-latency").scroll_into_view_if_needed()
    found = None
    while found != (found := page.evaluate(_SPIKE)):
        page.wait_for_timeout(SETTLES_MS)
    x, y, place = found
    return x, y, place


@BY
def test_the_slowest_model_of_the_last_hour(situation: Build, context_of: Contexts, by: str) -> None:
    situation("incident")
    find = Finder(context_of("viktor"), 2, by)
    find.go("Models")
    find.click(find.page.get_by_role("link", name="Slowest first"))

    expect(find.page.get_by_text("models in the last hour")).to_be_visible()
    first = find.page.locator("#models > li").first
    expect(first.get_by_role("heading")).to_have_text("text_to_audio audioldm2")
    expect(first.locator(".smalls > div").filter(has_text="p95").locator(".now")).to_contain_text("s")


@BY
def test_the_operation_behind_a_latency_spike(situation: Build, context_of: Contexts, by: str) -> None:
    situation("incident")
    now = timezone.now()
    begun = (now - timedelta(minutes=7)).replace(second=0)
    slow = [
        (KINDS[2], begun + timedelta(seconds=number), "success", 200_000.0 + number) for number in range(12)
    ]
    store([*slow, (KINDS[3], begun + timedelta(seconds=20), "success", 247_000.0)], now)
    find = Finder(context_of("viktor", viewport={"width": 1440, "height": 900}), 3, by)
    x, y, place = _spike(find.page)

    if by == "mouse":
        find.count()
        find.page.mouse.move(x, y)
        find.page.mouse.down()
        find.page.mouse.up()
    else:
        find.click(find.page.locator("#chart-latency-data summary"))
        find.click(find.page.locator("#chart-latency-data tbody a").nth(place))
    find.page.wait_for_url("**/operations/?**")
    find.click(find.page.locator(".calls tbody th a").first)

    expect(find.page.get_by_role("heading", level=1)).to_have_text("analysis clap-630k")
    expect(find.page.locator(".figures").first).to_contain_text("4 min 7 s")


@BY
def test_why_a_breaker_opened(situation: Build, context_of: Contexts, by: str) -> None:
    situation("incident")
    find = Finder(context_of("viktor"), 2, by)
    find.click(find.page.locator("#firing").get_by_role("link", name=KINDS[0].breaker, exact=True))
    find.click(find.page.locator(".timeline a").filter(has_text="Open").first)

    expect(find.page.get_by_role("main")).to_contain_text("2 of 3 probes failed.")
    expect(find.page.get_by_role("main")).to_contain_text(
        "operations of this breaker, newest first; 2 failed"
    )


@BY
def test_what_an_optimization_gained(situation: Build, context_of: Contexts, by: str) -> None:
    situation("incident")
    find = Finder(context_of("viktor"), 2, by)
    find.go("Optimizations")
    find.click(find.page.locator("#optimization-rows li").filter(has_text="faster").locator(".name").first)

    gained = find.page.locator(".side").filter(has_text="Gain over the baseline").locator(".lead")
    expect(gained).to_contain_text(re.compile(r"\d\s% faster, between \d"))


@BY
def test_who_reset_a_breaker_last_night(situation: Build, context_of: Contexts, by: str) -> None:
    situation("incident")
    reset_breaker(KINDS[0].breaker, Order("olga", "the GPU is back"))
    AuditEntry.objects.filter(action="breaker.reset").update(at=timezone.now() - timedelta(hours=9))
    find = Finder(context_of("viktor"), 3, by)
    find.go("Settings")
    find.click(find.page.get_by_role("link", name="Audit", exact=True))
    find.click(find.page.get_by_role("link", name="Breaker resets, last 24 h"))

    entry = find.page.get_by_role("region", name="Entries").get_by_role("listitem").first
    expect(entry).to_contain_text(f"olga reset a breaker: {KINDS[0].breaker}")
    expect(entry).to_contain_text("“the GPU is back”")
