"""A page that is kept open: it follows what happens and leaves the reader in peace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from featurememory.circuit_breaker.commands import Order, force_open_breaker, reset_breaker
from featurememory.models import Breaker, BreakerEvent, Follower, Rollup, RollupMark
from tests.browser.scenarios import KINDS, SCENARIOS

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
_WATCH_SHIFTS = """
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.value)))
        .observe({ type: "layout-shift", buffered: false });
"""
_HIDE = "Object.defineProperty(document, 'hidden', { get: () => window.pretendHidden ?? false });"


def _refresh(page: Page, part: str) -> None:
    """Makes the part ask now what it would ask in a few seconds, and waits until the answer stands."""
    page.evaluate(
        """(part) => new Promise((done) => {
            const element = document.querySelector(part);
            element.addEventListener("htmx:afterRequest", () => requestAnimationFrame(() => done()), { once: true });
            htmx.trigger(element, "refresh");
        })""",
        part,
    )


def test_ten_refreshes_leave_the_reader_in_peace(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga", viewport={"width": 1440, "height": 900}).new_page()
    page.goto("/")
    page.wait_for_function("() => document.querySelectorAll('.plot .main-svg').length >= 4")
    page.locator("#chart-rate-data summary").click()
    page.get_by_label("Reset text_to_audio:audioldm2").focus()
    page.evaluate("scrollTo(0, 240)")
    page.evaluate(_WATCH_SHIFTS)

    for _ in range(10):
        Rollup.objects.filter(series__model=KINDS[2].model).update(error=7, duration_max_ms=99_000)
        RollupMark.objects.update(mark=F("mark") + 1)
        _refresh(page, ".status")
        _refresh(page, ".signals")

    assert page.evaluate("window.shift") < 0.02
    assert page.evaluate("scrollY") == 240
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == "Reset text_to_audio:audioldm2"
    )
    assert page.evaluate("document.querySelector('#chart-rate-data').open")


def test_typed_text_survives_a_refresh_and_rows_stay_where_they_are(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/breakers/")
    page.get_by_label("Name contains").type("whis")
    before = page.locator("#breaker-rows .name").all_inner_texts()

    force_open_breaker(KINDS[4].breaker, Order("olga", "maintenance"))
    _refresh(page, "[data-live]")

    expect(page.locator("#breaker-rows")).to_contain_text("By olga: “maintenance”")
    assert page.locator("#breaker-rows .name").all_inner_texts() == before
    assert page.get_by_label("Name contains").input_value() == "whis"
    expect(page.get_by_label("Name contains")).to_be_focused()


def test_what_is_ticked_stays_ticked(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/breakers/")
    page.get_by_label(f"Choose {KINDS[2].breaker}").check()

    force_open_breaker(KINDS[4].breaker, Order("olga", "maintenance"))
    _refresh(page, "[data-live]")

    expect(page.locator("#breaker-rows")).to_contain_text("By olga: “maintenance”")
    expect(page.get_by_label(f"Choose {KINDS[2].breaker}")).to_be_checked()
    assert page.get_by_role("checkbox", checked=True).count() == 1


def test_ten_refreshes_of_a_breaker_leave_the_reader_in_peace(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga", viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"/breakers/{KINDS[1].breaker}/")
    page.locator("#states-data summary").click()
    page.get_by_role("link", name="Release…").focus()
    page.evaluate("scrollTo(0, 160)")
    page.evaluate(_WATCH_SHIFTS)

    for _ in range(10):
        _refresh(page, ".status")

    assert page.evaluate("window.shift") < 0.02
    assert page.evaluate("scrollY") == 160
    assert page.evaluate("document.activeElement.innerText") == "Release…"
    assert page.evaluate("document.querySelector('#states-data').open")


def test_a_command_s_way_is_followed_closely_until_everybody_has_applied_it(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("olga").new_page()
    force_open_breaker(KINDS[0].breaker, Order("olga", "maintenance"))
    act = BreakerEvent.objects.get()
    page.clock.install()
    page.goto(f"/breakers/{KINDS[0].breaker}/")
    expect(page.locator(".spread")).to_contain_text("applied by 0 of 3 connected processes")
    expect(page.locator(".spread")).to_contain_text("Waiting for orchestrator-0:4711:9f2c")

    Follower.objects.update(applied=act.sequence, applied_at=act.at + timedelta(milliseconds=12))
    with page.expect_response("**/breakers/**"):
        page.clock.run_for(1_600)
    expect(page.locator(".spread")).to_contain_text("applied by all 3 connected processes in 12")

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(3_000)
    assert asked == []


def test_a_breaker_s_page_announces_changes_of_its_state_and_nothing_else(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto(f"/breakers/{KINDS[0].breaker}/")
    Breaker.objects.update(last_result_at=timezone.now())
    _refresh(page, ".status")
    expect(page.locator("#announcer")).to_be_empty()

    force_open_breaker(KINDS[0].breaker, Order("olga", "maintenance"))
    _refresh(page, ".status")

    expect(page.locator("#announcer")).to_have_text(f"{KINDS[0].breaker}: Forced open")


def test_a_change_of_state_is_announced_once_and_titles_the_page(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto("/")
    _refresh(page, ".status")
    expect(page.locator("#announcer")).to_be_empty()

    force_open_breaker(KINDS[0].breaker, Order("olga", "maintenance"))
    _refresh(page, ".status")

    expect(page.locator("#announcer")).to_have_text("1 breaker refuses calls")
    expect(page).to_have_title("(1) Overview · Feature Memory")
    reset_breaker(KINDS[0].breaker, Order("olga", "done"))
    _refresh(page, ".status")
    expect(page).to_have_title("Overview · Feature Memory")


def test_a_change_of_state_refreshes_the_charts_at_once(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto("/")
    expect(page.locator(".changes")).not_to_contain_text("By olga: “maintenance”")

    force_open_breaker(KINDS[0].breaker, Order("olga", "maintenance"))
    _refresh(page, ".status")

    expect(page.locator(".changes")).to_contain_text("By olga: “maintenance”")


def test_two_failed_refreshes_show_the_stale_banner_and_the_next_good_one_takes_it_away(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("viktor").new_page()
    page.goto("/")
    page.route("**/overview/status/", lambda route: route.abort())

    _refresh(page, ".status")
    expect(page.locator("#stale")).to_be_hidden()
    _refresh(page, ".status")
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#firing")).to_contain_text(KINDS[0].breaker)
    page.unroute("**/overview/status/")
    _refresh(page, ".status")

    expect(page.locator("#stale")).to_be_hidden()


def test_a_hidden_tab_asks_for_nothing(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.clock.install()
    page.add_init_script(_HIDE)
    page.goto("/")
    asked: list[str] = []
    page.on("request", lambda request: "/overview/" in request.url and asked.append(request.url))

    page.evaluate("window.pretendHidden = true")
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate("window.pretendHidden = false")
    with page.expect_response("**/overview/status/"):
        page.clock.run_for(6_000)


def test_the_first_operation_turns_the_page_over(situation: Build, context_of: Contexts) -> None:
    situation("empty")
    page = context_of("viktor").new_page()
    page.clock.install()
    page.goto("/")
    expect(page.get_by_text("Waiting for the first operation.")).to_be_visible()

    SCENARIOS["normal"](timezone.now() + timedelta(milliseconds=1))
    page.clock.run_for(4_000)

    expect(page.get_by_role("heading", name="Golden signals")).to_be_visible()


def test_a_session_that_ended_leads_to_the_login_and_back(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    context = context_of("viktor")
    page = context.new_page()
    page.goto("/?range=6h")
    context.clear_cookies()

    page.evaluate("htmx.trigger(document.querySelector('.status'), 'refresh')")

    page.wait_for_url("**/login/?next=%2F%3Frange%3D6h")


def test_the_theme_follows_system_and_toggle_and_recolours_the_charts(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor", color_scheme="light").new_page()
    page.goto("/")
    line = page.locator("#chart-latency .scatterlayer .js-line").first
    light = line.evaluate("(line) => line.style.stroke")

    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function(
        "(light) => document.querySelector('#chart-latency .js-line').style.stroke !== light", arg=light
    )
    page.reload()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(14, 17, 22)"


def test_times_are_shown_in_local_time_when_asked(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("viktor", timezone_id="Asia/Tokyo").new_page()
    page.goto(f"/breakers/{KINDS[0].breaker}/")
    newest = page.locator(".timeline time").first
    utc: Any = newest.inner_text()

    page.get_by_role("button", name="Times shown in").click()

    assert utc.endswith(" UTC")
    expect(newest).not_to_have_text(utc)
