"""Patterns in the browser: a map that leads to each of them, acts by the keyboard alone and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from featurememory.core.operator_actions import change_pattern
from featurememory.models import AuditEntry, Pattern
from tests.browser.keyboard import tab_to
from tests.browser.pattern_scene import CALIBRATED, learn_patterns

Build = Callable[[str], None]
Contexts = Callable[..., BrowserContext]
DRAWN = "() => document.querySelector('.plot .main-svg')"
POINTS = """(plot) => plot.data.flatMap((trace) =>
    trace.x.map((x, place) => [trace.customdata[place], x, trace.y[place]]))"""


def _speech() -> Pattern:
    return Pattern.objects.get(label="speech, one voice")


def _map_of(page: Page, path: str) -> dict[int, tuple[float, float]]:
    page.goto(path)
    page.wait_for_function(DRAWN)
    points: list[Any] = page.locator(".plot").evaluate(POINTS)
    return {id: (x, y) for id, x, y in points}


def test_the_map_is_a_named_figure_with_a_row_for_each_point(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()

    for path in ("/patterns/", f"/patterns/{_speech().pk}/"):
        points = _map_of(page, path)
        figure = page.get_by_role("figure", name="Map")
        assert figure.locator("tbody tr").count() == len(points) > 0


def test_a_point_leads_to_its_pattern_and_so_does_its_row(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    address = f"**/patterns/{_speech().pk}/"
    _map_of(page, "/patterns/")
    place = page.locator(".plot").evaluate(
        """(plot, id) => {
            const trace = plot.data.find((trace) => trace.customdata.includes(id));
            const at = trace.customdata.indexOf(id);
            const { xaxis, yaxis } = plot._fullLayout;
            const box = plot.getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.l2p(trace.x[at]), box.y + yaxis._offset + yaxis.l2p(trace.y[at])];
        }""",
        _speech().pk,
    )
    page.mouse.move(*place)
    page.mouse.click(*place)
    page.wait_for_url(address)

    page.goto("/patterns/")
    page.get_by_role("figure", name="Map").get_by_text("Data").click()
    page.get_by_role("link", name="speech, one voice").first.click()
    page.wait_for_url(address)


def test_points_stay_where_they_are_when_patterns_come(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    before = _map_of(page, "/patterns/")
    settled = dict(Pattern.objects.values_list("pk", "count"))

    learn_patterns(timezone.now(), seed=12)

    after = _map_of(page, "/patterns/")
    untouched = [pk for pk, count in Pattern.objects.values_list("pk", "count") if settled.get(pk) == count]
    assert len(after) > len(before)
    assert len(untouched) > 50
    assert {pk: after[pk] for pk in untouched} == {pk: before[pk] for pk in untouched}


def test_the_map_and_the_list_follow_what_happens(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()
    page.goto(f"/patterns/?space={CALIBRATED}&kind=pinned")
    expect(page.locator("#pattern-rows tr")).to_have_count(2)

    change_pattern(Pattern.objects.filter(pinned=False)[0].pk, actor="olga", reason="x", pinned=True)

    expect(page.locator("#pattern-rows tr")).to_have_count(3)
    expect(page.locator("#stale")).to_be_hidden()


def test_the_map_follows_the_theme(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor", color_scheme="light").new_page()
    _map_of(page, "/patterns/")
    colour = "(plot) => plot.data[0].marker.color"
    light = page.locator(".plot").evaluate(colour)

    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"(light) => ({colour})(document.querySelector('.plot')) !== light", arg=light)


def test_a_pattern_is_merged_with_the_keyboard_alone(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    gone = _speech()
    page = context_of("olga").new_page()
    page.goto(f"/patterns/{gone.pk}/")

    tab_to(page, "Merge into another…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/merge/")
    first = page.get_by_role("group", name="Nearest patterns").get_by_role("link").first
    tab_to(page, first.get_attribute("aria-label") or "")
    page.keyboard.press("Enter")
    page.wait_for_url("**/merge/?into=*")
    page.keyboard.type("the same voice")
    tab_to(page, "Merge")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("“speech, one voice” was merged into this one")
    assert not Pattern.objects.filter(pk=gone.pk).exists()
    assert AuditEntry.objects.filter(action="pattern.merge").count() == 1


def test_a_double_submit_makes_one_audit_row(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    gone = _speech()
    page = context_of("olga").new_page()
    page.goto(f"/patterns/{gone.pk}/forget/")
    page.get_by_label("Reason").fill("twice")

    page.get_by_role("button", name="Forget", exact=True).dblclick()
    page.wait_for_url("**/patterns/?space=*")

    expect(page.get_by_role("status")).to_contain_text("was forgotten")
    assert AuditEntry.objects.filter(action="pattern.remove").count() == 1


def test_patterns_are_read_and_labelled_without_javascript(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("olga", java_script_enabled=False).new_page()
    page.goto("/patterns/?order=seen")

    page.locator("#pattern-rows a").first.click()
    page.get_by_role("link", name="Label or pin…").click()
    page.get_by_label("Label", exact=True).fill("the usual")
    page.get_by_label("Pinned").check()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Change").click()

    expect(page.get_by_role("status")).to_contain_text("labelled “the usual”, and pinned")
    expect(page.get_by_role("heading", name="the usual", level=1)).to_be_visible()


def test_a_viewer_is_told_that_they_may_not(situation: Build, context_of: Contexts) -> None:
    situation("normal")
    page = context_of("viktor").new_page()

    response = page.goto(f"/patterns/{_speech().pk}/forget/")

    assert response is not None
    assert response.status == 403
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
