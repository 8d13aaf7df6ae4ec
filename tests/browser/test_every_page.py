"""What holds for every page, in every situation, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import BrowserContext, Page

from featurememory.models import Breaker, BreakerEvent, Pattern, Recommendation, Study
from tests.browser.conftest import Ear
from tests.browser.pattern_scene import CALIBRATING
from tests.browser.scenarios import KINDS

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
NAME, HELD, PROBING, DISABLED, IDLE = (KINDS[place].breaker for place in (0, 1, 2, 3, 5))
PAGES = (
    "/",
    "/breakers/",
    "/breaker-settings/",
    "/breaker-settings/?preview=yes&max_failures=8",
    "/breaker-resets/",
    "/optimizations/",
    "/learning-settings/",
    "/learning-settings/?preview=yes&control=3&steps=nonsense",
    "/patterns/",
)
NORMAL_PAGES = (
    f"/breakers/{NAME}/",
    f"/breakers/{NAME}/force-open/",
    "/breaker-settings/operation-type/text_to_audio/",
    f"/patterns/?space={CALIBRATING}",
    "/patterns/?kind=pinned&order=seen",
    "/patterns/?text=nobody",
)
INCIDENT_PAGES = (
    *(f"/breakers/{name}/" for name in (NAME, HELD, PROBING, DISABLED, IDLE)),
    *(f"/breakers/{HELD}/{act}/" for act in ("reset", "release", "disable", "metrics-only")),
    f"/breakers/{IDLE}/force-open/",
    "/breakers/?text=nobody",
    "/breaker-resets/?all=yes&state=not_closed",
    f"/breaker-resets/?name={NAME}&name=nobody",
    f"/breaker-settings/breaker/{NAME}/",
    f"/breaker-settings/breaker/{NAME}/?preview=yes&minimum_calls=200",
    f"/breaker-settings/breaker/{NAME}/?preview=yes&max_failures=8&health_thresholds_cpu=off",
    "/account/password/",
)
LEARNED_PAGES = (
    "/optimizations/?study={study}",
    "/optimizations/?text=nothing",
    "/studies/{study}/propose/",
    "/learning-settings/?preview=yes&aim=both&control=0.2",
    "/learning-settings/operation-type/text_to_audio/",
    *(f"/optimizations/{{{which}}}/" for which in ("shown", "quarantined", "baseline")),
    "/optimizations/{shown}/quarantine/",
    "/parameter-sets/{arm}/retire/",
    "/recommendations/{recommendation}/",
)
ADMIN_PAGES = ("/admin/", "/admin/featurememory/breaker/", "/admin/featurememory/apikey/add/")
ADMIN_PAGES += tuple(
    f"/admin/featurememory/{each}/"
    for each in ("study", "arm", "optimization", "optimizationevent", "recommendation")
)
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


def _learned_pages() -> list[str]:
    """Of what the situation has learned; none where it has learned nothing."""
    study = Study.objects.first()
    if study is None:
        return []
    quarantined = study.optimizations.filter(status="quarantined").first()
    shown = study.optimizations.exclude(arm__number=0).exclude(status="quarantined").first()
    recommendation = Recommendation.objects.filter(study=study).exclude(source="baseline").first()
    assert quarantined is not None
    assert shown is not None
    assert recommendation is not None
    return [
        page.format(
            study=study.pk,
            shown=shown.pk,
            quarantined=quarantined.pk,
            baseline=study.optimizations.filter(arm__number=0)[0].pk,
            arm=shown.arm_id,
            recommendation=recommendation.pk,
        )
        for page in LEARNED_PAGES
    ]


def _pages_of_a_pattern() -> list[str]:
    """Where there is one."""
    found = Pattern.objects.filter(pinned=True).values_list("pk", flat=True)
    return [f"/patterns/{pk}/{act}" for pk in found[:1] for act in ("", "change/", "merge/", "forget/")]


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

    more = {"empty": (), "normal": NORMAL_PAGES, "incident": INCIDENT_PAGES}[situation_name]
    changes = BreakerEvent.objects.filter(name__in=(NAME, HELD)).values_list("sequence", flat=True)
    for path in (
        *PAGES,
        *more,
        *_learned_pages(),
        *(f"/breaker-events/{sequence}/" for sequence in (*changes[:2], *changes[::-1][:1])),
        *_pages_of_a_pattern(),
    ):
        _inspect(page, ear, path)

    assert ear.origins == {live_server.url.removeprefix("http://")}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admin_keeps_the_content_security_policy_and_fits_a_phone(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext], theme: str
) -> None:
    situation("incident")
    page = context_of("admin", color_scheme=theme, viewport={"width": 360, "height": 740}).new_page()
    ear = Ear(page)

    record = f"/admin/featurememory/breaker/{Breaker.objects.get(name=HELD).pk}"
    for path in (*ADMIN_PAGES, f"{record}/change/", f"{record}/metrics-only/"):
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


def test_the_evidence_of_an_optimization_is_a_named_figure_with_a_row_for_each_point(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, next(each for each in _learned_pages() if re.fullmatch(r"/optimizations/\d+/", each)))

    figure = page.get_by_role("figure", name="Evidence over time")
    points = figure.locator(".plot").evaluate("(plot) => plot.data[0].x.length")
    assert figure.locator("tbody tr").count() == points > 20
    for bar in page.locator("svg.effect-bar").all():
        assert "between" in (bar.get_attribute("aria-label") or "")


def test_the_day_of_a_breaker_is_a_named_figure_with_a_row_for_each_stretch(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("incident")
    page = context_of("viktor").new_page()
    page.goto(f"/breakers/{HELD}/")

    figure = page.get_by_role("figure", name="States over the last 24 hours")
    lanes = [lane.get_attribute("aria-label") for lane in figure.get_by_role("img").all()]
    assert [(lane or "").split(" for ")[0] for lane in lanes] == ["Callers met: Closed", "By itself: Closed"]
    assert figure.locator("tbody tr").count() == figure.locator("svg > rect[class^=tone]").count()


def test_the_day_of_a_breaker_follows_the_theme(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("incident")
    page = context_of("viktor", color_scheme="light").new_page()
    page.goto(f"/breakers/{NAME}/")
    drawn = page.locator(".lane-plot .tone-bad").first
    light = drawn.evaluate("(rect) => getComputedStyle(rect).fill")

    page.emulate_media(color_scheme="dark")

    assert drawn.evaluate("(rect) => getComputedStyle(rect).fill") != light


def test_no_chart_offers_to_upload_anything(
    situation: Callable[[str], None], context_of: Callable[..., BrowserContext]
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    _visit(page, "/")
    page.locator(".plot").first.hover()

    assert page.locator(".modebar-btn, [class*=cloud]").count() == 0
