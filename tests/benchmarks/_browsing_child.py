"""Fills a database, opens pages in Chromium again and again; prints JSON."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featurememory.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop in this thread

SLOWER = 4
TIMES = 20
LISTS = ("/operations/?range=24h", "/operations/?order=slowest&range=30d", "/models/?range=24h", "/patterns/")
_WATCH = """
    window.shown = {};
    const look = () => {
        const plots = [...document.querySelectorAll(".plot")];
        if (document.querySelector(".headline h2")) window.shown.status ??= performance.now();
        if (plots.length && plots.every((plot) => plot.querySelector(".main-svg"))) {
            window.shown.charts ??= performance.now();
        }
        if (!window.shown.charts) requestAnimationFrame(look);
    };
    look();
"""
_READABLE = "performance.getEntriesByType('navigation')[0].domInteractive"


def _p95(values: list[float]) -> float:
    return sorted(values)[round(len(values) * 0.95) - 1]


def main(operations: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from tests.benchmarks._pages_child import fill
    from tests.browser.chromium import chromium
    from tests.browser.scenarios import PASSWORD
    from tests.browser.screenshots import served

    call_command("migrate", verbosity=0)
    fill(operations, datetime.now(UTC) - timedelta(seconds=1))
    with served() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1_440, "height": 900})
        page.goto(f"{address}/login/")
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")
        lists = {path: _p95([_readable(page, address + path) for _ in range(TIMES)]) for path in LISTS}
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(_WATCH)
        shown = [_shown(page, address) for _ in range(TIMES)]
    told = {name: _p95([each[name] for each in shown]) for name in ("status", "charts")}
    print(json.dumps(told | {"lists": lists}))


def _readable(page: Any, address: str) -> float:
    page.goto(address, wait_until="domcontentloaded")
    return float(page.evaluate(_READABLE))


def _shown(page: Any, address: str) -> dict[str, float]:
    page.goto(f"{address}/")
    page.wait_for_function("() => window.shown.charts")
    told: dict[str, float] = page.evaluate("window.shown")
    return told


if __name__ == "__main__":
    main(int(sys.argv[1]))
