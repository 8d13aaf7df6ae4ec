"""An operator's hand on a breaker: with the keyboard alone, and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from featurememory.models import AuditEntry, Breaker
from tests.browser.keyboard import tab_to
from tests.browser.scenarios import KINDS

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
NAME = KINDS[0].breaker


def _resets() -> int:
    return AuditEntry.objects.filter(action="breaker.reset", subject=NAME).count()


def test_a_breaker_is_reset_with_the_keyboard_alone(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/")

    tab_to(page, f"Reset {NAME}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reset/")
    page.keyboard.type("the GPU is back")
    tab_to(page, "Reset")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/breakers/{NAME}/")

    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("was reset")
    assert Breaker.objects.get(name=NAME).state == "closed"
    assert _resets() == 1


def test_a_double_submit_makes_one_audit_row(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    context = context_of("olga")
    page = context.new_page()
    page.goto(f"/breakers/{NAME}/reset/")
    page.get_by_label("Reason").fill("twice")
    sent = page.evaluate("Object.fromEntries(new FormData(document.querySelector('form[data-once]')))")

    page.get_by_role("button", name="Reset", exact=True).dblclick()
    page.wait_for_url(f"**/breakers/{NAME}/")
    again = context.request.post(f"/breakers/{NAME}/reset/", form=sent)

    assert again.ok
    assert _resets() == 1


def test_many_breakers_are_reset_with_the_keyboard_alone(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga").new_page()
    page.goto("/breakers/")

    for name in (NAME, KINDS[2].breaker):
        tab_to(page, f"Choose {name}")
        page.keyboard.press("Space")
    tab_to(page, "Reset the chosen…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/breaker-resets/?name=*")
    page.keyboard.type("all hosts are back")
    tab_to(page, "Reset what is ticked")
    page.keyboard.press("Enter")
    page.wait_for_url("**/breakers/?only=*")

    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("2 breakers were reset")
    assert set(Breaker.objects.filter(state="closed").values_list("name", flat=True)) >= {
        NAME,
        KINDS[2].breaker,
    }
    assert AuditEntry.objects.filter(action="breaker.reset").count() == 2


def test_settings_are_changed_with_the_keyboard_alone_after_a_look_at_what_changes(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("olga").new_page()
    page.goto("/breaker-settings/")

    page.get_by_label("Failures in a row").fill("8")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="Failures in a row")).to_contain_text("8 failures")
    page.keyboard.type("the hosts are slower now")
    tab_to(page, "Apply")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("The settings of all breakers were changed")
    assert Breaker.objects.get(name=NAME).config == {"max_failures": 8}


def test_a_viewer_is_told_that_they_may_not(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("viktor").new_page()

    response = page.goto(f"/breakers/{NAME}/reset/")

    assert response is not None
    assert response.status == 403
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()


def test_status_and_reset_work_without_javascript(situation: Build, context_of: Contexts) -> None:
    situation("incident")
    page = context_of("olga", java_script_enabled=False).new_page()
    page.goto("/")

    expect(page.get_by_role("heading", name="2 breakers refuse calls")).to_be_visible()
    page.get_by_role("link", name=f"Reset {NAME}").click()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Reset", exact=True).click()

    expect(page.get_by_role("status")).to_contain_text("was reset")
    assert _resets() == 1


def test_many_are_reset_and_settings_changed_without_javascript(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("olga", java_script_enabled=False).new_page()
    page.goto("/breakers/")

    page.get_by_role("link", name="Reset all that are not closed…").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Reset what is ticked").click()
    expect(page.get_by_role("status")).to_contain_text("2 breakers were reset")

    page.goto(f"/breaker-settings/breaker/{NAME}/")
    page.get_by_label("Waiting time", exact=True).fill("5000")
    page.get_by_role("button", name="See what would change…").click()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status")).to_contain_text(f"The settings of breaker {NAME} were changed")
    assert Breaker.objects.get(name=NAME).config == {"reset_timeout_ms": 5_000}


def test_a_change_and_its_operations_are_one_click_away_without_javascript(
    situation: Build, context_of: Contexts
) -> None:
    situation("incident")
    page = context_of("viktor", java_script_enabled=False).new_page()
    page.goto(f"/breakers/{NAME}/")

    page.get_by_role("region", name="History").get_by_role("link").first.click()

    expect(page.get_by_role("heading", name="Operations up to then")).to_be_visible()
    expect(page.locator(".operations tbody tr").first).to_be_visible()
