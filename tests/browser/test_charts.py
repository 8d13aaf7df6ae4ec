"""Charts in the hand: to brush zooms, a click leads to operations, and the page can be held still."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Page, expect

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]


def opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    page.wait_for_function("() => document.querySelectorAll('.plot .main-svg').length >= 4")
    return page


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_to_brush_over_a_time_shows_that_time_and_keeps_the_comparison(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = opened(context_of("viktor", viewport={"width": 1440, "height": 900}), "/?range=6h&compare=day")
    box = page.locator("#chart-latency-plot .nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2

    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
    page.mouse.up()
    page.wait_for_url("**from=**")

    now_asked = asked(page)
    assert set(now_asked) == {"from", "to", "compare"}
    assert now_asked["compare"] == "day"
    hours = (int(now_asked["to"][11:13]) * 60 + int(now_asked["to"][14:16])) - (
        int(now_asked["from"][11:13]) * 60 + int(now_asked["from"][14:16])
    )
    assert 80 <= hours % 1_440 <= 100


def test_a_click_on_a_point_leads_to_the_operations_of_its_step(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = opened(context_of("viktor", viewport={"width": 1440, "height": 900}), "/?range=1h")
    box = page.locator("#chart-latency-plot .nsewdrag").first.bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/operations/?**")

    now_asked = asked(page)
    assert now_asked["order"] == "slowest"
    assert now_asked["from"] < now_asked["to"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Operations")


def test_without_a_mouse_the_same_operations_are_reached_from_the_table(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor", java_script_enabled=False).new_page()
    page.goto("/?range=1h")

    page.locator("#chart-errors-data summary").click()
    page.locator("#chart-errors-data tbody a").nth(20).click()

    assert asked(page)["outcome"] == "failed"
    expect(page.get_by_role("heading", level=1)).to_have_text("Operations")


def test_a_paused_page_asks_nothing_until_it_goes_on(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = opened(context_of("viktor"), "/")
    requests: list[str] = []
    page.get_by_role("button", name="Pause refreshing").click()
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate(
        "() => { const later = performance.now() + 60000; performance.now = () => later; }"  # all is overdue
    )
    page.wait_for_timeout(1_500)  # three looks at what is due
    assert requests == []

    with page.expect_request("**/overview/status/"):
        page.get_by_role("button", name="Pause refreshing").click()
