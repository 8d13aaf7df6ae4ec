"""An operator's hand on an optimization: with the keyboard alone, twice by mistake, and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from featurememory.models import AuditEntry, LearningSettings, Optimization
from tests.browser.keyboard import tab_to

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]


def _promoted() -> Optimization:
    found = Optimization.objects.filter(status="promoted").last()
    assert found is not None
    return found


def _audits(action: str) -> int:
    return AuditEntry.objects.filter(action=action).count()


def test_an_optimization_is_quarantined_with_the_keyboard_alone(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    found = _promoted()
    page = context_of("olga").new_page()
    page.goto(f"/optimizations/{found.pk}/")

    tab_to(page, "Quarantine…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/quarantine/")
    page.keyboard.type("it crackles")
    tab_to(page, "Quarantine")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/optimizations/{found.pk}/")

    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("is in quarantine")
    found.refresh_from_db()
    assert found.status == "quarantined"
    assert _audits("optimization.quarantine") == 1


def test_a_double_submit_makes_one_audit_row(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    found, context = _promoted(), context_of("olga")
    page = context.new_page()
    page.goto(f"/optimizations/{found.pk}/retire/")
    page.get_by_label("Reason").fill("twice")
    sent = page.evaluate("Object.fromEntries(new FormData(document.querySelector('form[data-once]')))")

    page.get_by_role("button", name="Retire", exact=True).dblclick()
    page.wait_for_url(f"**/optimizations/{found.pk}/")
    again = context.request.post(f"/optimizations/{found.pk}/retire/", form=sent)

    assert again.ok
    assert _audits("optimization.retire") == 1


def test_a_set_is_proposed_retired_and_settings_changed_without_javascript(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    study = _promoted().study_id
    page = context_of("olga", java_script_enabled=False).new_page()
    page.goto(f"/optimizations/?study={study}")

    page.get_by_role("link", name="Propose one…").click()
    page.get_by_label("Parameters").fill('{"steps": 50, "guidance": 7.5, "scheduler": "ddim"}')
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("status")).to_contain_text("guidance=7.5 was proposed")

    page.get_by_role("link", name="Retire guidance=7.5 everywhere").click()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Retire everywhere").click()
    expect(page.get_by_role("status")).to_contain_text("The parameter set is retired everywhere.")

    page.goto("/learning-settings/")
    page.get_by_label("Control share").fill("0.2")
    page.get_by_role("button", name="See what would change…").click()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status")).to_contain_text("was changed; it holds from now on")
    assert LearningSettings.objects.get().values == {"control": 0.2}


def test_from_an_optimization_to_the_reason_of_a_recommendation_is_one_click(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto(f"/optimizations/{_promoted().pk}/")

    page.get_by_role("region", name="Newest trials").get_by_role("link").first.click()

    expect(page.get_by_role("heading", name="What there was to choose from")).to_be_visible()


def test_a_refresh_takes_the_new_standing_in_and_keeps_what_is_open(
    situation: Build, context_of: Contexts
) -> None:
    situation("normal")
    found = _promoted()
    page = context_of("viktor").new_page()
    page.goto(f"/optimizations/{found.pk}/")
    page.get_by_text("Data", exact=True).click()

    Optimization.objects.filter(pk=found.pk).update(status="quarantined")
    page.evaluate("document.querySelectorAll('[data-live]').forEach((part) => htmx.trigger(part, 'refresh'))")

    expect(page.get_by_label("Standing")).to_contain_text("Quarantined")
    expect(page.get_by_role("region", name="Evidence over time, data")).to_be_visible()
    assert page.locator(".plot .main-svg").count() > 0
