"""Alerts in a browser: taken with the keyboard alone, without JavaScript, and under a live list that moves nothing."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import BrowserContext, expect

from featurememory.models import Alert, AlertEvent, AlertRule, AuditEntry, Breaker
from tests.browser.alert_scene import alert, evaluated
from tests.browser.keyboard import tab_to
from tests.browser.scenarios import KINDS

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
BREAKER = KINDS[0].breaker
TITLE = f"Breaker is open: {BREAKER}"


def _first() -> Alert:
    return Alert.objects.get(labels__breaker=BREAKER, state__in=("firing", "acknowledged"))


def test_an_alert_is_acknowledged_with_the_keyboard_alone(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/alerts/")

    tab_to(page, f"Acknowledge {TITLE}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/acknowledge/")
    page.keyboard.type("the GPU is being swapped")
    tab_to(page, "Acknowledge")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{_first().pk}/")

    status = page.locator(".banner[role=status]")
    expect(status).to_be_focused()
    expect(status).to_contain_text("was acknowledged")
    assert _first().acknowledged_by == "olga"
    assert AuditEntry.objects.filter(action="alert.acknowledge").count() == 1


def test_many_are_acknowledged_and_one_silenced_without_javascript(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("olga", java_script_enabled=False).new_page()
    page.goto("/alerts/")
    for row in page.locator("#groups-firing input[type=checkbox]").all():
        row.check()
    page.get_by_role("button", name="Acknowledge the chosen…").click()
    page.get_by_label("Note").fill("both are known")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing calls for anybody")).to_be_visible()
    assert AlertEvent.objects.filter(kind="acknowledged", note="both are known").count() == 2

    page.get_by_label(f"Choose {TITLE}").check()
    page.get_by_role("button", name="Silence the chosen…").click()
    page.get_by_role("button", name="See what it covers…").click()
    expect(page.get_by_text("It covers 1 of")).to_be_visible()
    page.get_by_label("Why").fill("until the swap is done")
    page.get_by_role("button", name="Silence", exact=True).click()
    page.wait_for_url("**/alerts/silences/")
    assert _first().is_silenced


def test_the_first_screen_of_a_phone_has_all_that_is_needed_at_three_in_the_morning(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("olga", viewport={"width": 360, "height": 740}).new_page()
    page.goto("/alerts/")
    for needed in (
        page.get_by_role("heading", name="1 critical alert and 1 warning fire"),
        page.get_by_text("The longest for"),
        page.get_by_text("nobody has the other 2 yet"),
        page.get_by_text("Last change: breaker"),
        page.get_by_label(f"Acknowledge {TITLE}"),
        page.get_by_label(f"Runbook of {TITLE}"),
    ):
        box = needed.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 740, needed


def test_a_new_alert_is_announced_and_counted_and_moves_no_row(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/alerts/")
    box = page.get_by_label(f"Choose {TITLE}")
    box.check()
    order = page.locator("#groups-firing > .card").evaluate_all("(all) => all.map((each) => each.id)")
    rule = AlertRule.objects.get(name="Calls are slow")
    new = alert(rule, timezone.now(), {"model": "bark"}, 90, "bark is slow", severity="critical")
    evaluated(timezone.now())

    expect(page.locator("#announcer")).to_have_text("2 critical alerts and 1 warning fire", timeout=9_000)
    expect(page).to_have_title("(3) Alerts · Feature Memory")
    expect(page.locator(f"#alert-{new.pk}")).to_be_visible()
    expect(box).to_be_checked()
    after = page.locator("#groups-firing > .card").evaluate_all("(all) => all.map((each) => each.id)")
    assert after[:1] == order[:1]


def test_from_an_alert_to_a_reset_breaker_on_a_phone_with_the_keyboard_alone(
    situation: Build, context_of: Contexts
) -> None:
    """Where a hand would click: its row, Reset, and Reset once more below the reason."""
    situation("incident")
    page = context_of("olga", viewport={"width": 360, "height": 740}).new_page()
    page.goto("/alerts/")

    tab_to(page, BREAKER)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{_first().pk}/")
    tab_to(page, f"Reset {BREAKER}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reset/**")
    page.keyboard.type("the GPU is back")
    tab_to(page, "Reset")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{_first().pk}/")

    expect(page.locator(".banner[role=status]")).to_contain_text("was reset")
    assert Breaker.objects.get(name=BREAKER).state == "closed"
    assert AuditEntry.objects.get(action="breaker.reset", subject=BREAKER).reason == "the GPU is back"
