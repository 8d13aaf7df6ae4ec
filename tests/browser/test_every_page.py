"""What holds for every page, in every situation, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import Ear
from tests.browser.scenarios import KINDS

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
PAGES = ("/", "/breakers/")
NAME = KINDS[0].breaker
INCIDENT_PAGES = (
    f"/breakers/{NAME}/",
    f"/breakers/{NAME}/reset/",
    "/breakers/?text=nobody",
    "/account/password/",
)
ADMIN_PAGES = ("/admin/", "/admin/featurememory/breaker/", "/admin/featurememory/apikey/add/")
WIDTHS = {"phone": 360, "zoomed to 200 %": 720, "desk": 1440}
_TOO_SMALL = """() => [...document.querySelectorAll("a[href], button, summary, input, textarea")]
    .filter((element) => element.checkVisibility() && getComputedStyle(element).display !== "inline")
    .filter((element) => !element.matches(".skip, [type=hidden]"))
    .map((element) => [element, element.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
    .map(([element, box]) => `${element.outerHTML.slice(0, 90)} is ${box.width} x ${box.height}`)"""


def _visit(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))"
    )


def _axe_violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html'][:140]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _inspect(page: Page, ear: Ear, path: str) -> None:
    _visit(page, path)
    assert _axe_violations(page) == [], path
    assert ear.heard() == [], path
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} scrolls sideways {name}: {wide} px"
        assert page.evaluate(_TOO_SMALL) == [], f"{path} {name}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("situation_name", ["empty", "normal", "incident"])
def test_pages_are_accessible_silent_and_fit_every_width(
    situation: Callable[[str], None],
    context_of: Callable[..., BrowserContext],
    live_server: Any,
    situation_name: str,
    theme: str,
) -> None:
    situation(situation_name)
    page = context_of("olga", color_scheme=theme).new_page()
    ear = Ear(page)

    for path in PAGES + (INCIDENT_PAGES if situation_name == "incident" else ()):
        _inspect(page, ear, path)

    assert ear.origins == {live_server.url.removeprefix("http://")}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admin_keeps_the_content_security_policy_and_fits_a_phone(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], theme: str
) -> None:
    situation("incident")
    page = context_of("admin", color_scheme=theme, viewport={"width": 360, "height": 740}).new_page()
    ear = Ear(page)

    for path in ADMIN_PAGES:
        page.goto(path)
        assert ear.heard() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_doors_are_accessible(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], theme: str
) -> None:
    situation("empty")
    context = context_of("olga", color_scheme=theme)
    context.clear_cookies()
    page = context.new_page()

    for path in ("/login/", "/no-such-page/"):
        page.goto(path)
        assert _axe_violations(page) == [], path


def test_every_chart_is_a_named_figure_with_a_row_for_each_point(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, "/")

    for figure in page.locator("figure").all():
        assert figure.get_attribute("aria-labelledby")
        points = figure.locator(".plot").evaluate("(plot) => plot.data[0].x.length")
        assert figure.locator("tbody tr").count() == points
    assert page.locator("figure").count() == 4


def test_no_chart_offers_to_upload_anything(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, "/")
    page.locator(".plot").first.hover()

    assert page.locator(".modebar-btn, [class*=cloud]").count() == 0
