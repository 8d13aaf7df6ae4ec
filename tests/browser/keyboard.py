"""Getting about in a page without a mouse."""

from __future__ import annotations

from playwright.sync_api import Page


def tab_to(page: Page, label: str) -> None:
    """Presses Tab until what has this label, or this text, is focused."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
        )
        if focused == label:
            return
    raise AssertionError(f"The keyboard does not reach {label!r}.")
