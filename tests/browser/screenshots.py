"""`python -m tests.browser.screenshots DIR`: every page x situation x light and dark x 360 and 1440 px wide."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

PAGES = {
    "overview": "/",
    "alerts": "/alerts/",
    "alerts-filtered": "/alerts/?severity=info",
    "alert": "/alerts/1/",
    "alert-acknowledge": "/alerts/1/acknowledge/",
    "alert-many": "/alert-acts/close/?alert=1&alert=2",
    "alert-history": "/alerts/history/",
    "alert-silences": "/alerts/silences/",
    "alert-silence-new": "/alerts/silences/new/?alert=1&alert=2",
    "alert-silence-preview": "/alerts/silences/new/?preview=yes&matchers=operation_type%3Dtext_to_audio&minutes=60",
    "alert-silence-end": "/alerts/silences/1/end/",
    "alert-rules": "/alerts/rules/",
    "alert-rule-new": "/alerts/rules/new/?kind=threshold",
    "alert-rule-preview": "/alerts/rules/new/?kind=threshold&preview=yes&name=Slow&signal=latency_p95"
    "&severity=warning&operator=above&threshold=9000&no_data=keep",
    "alert-rule-switch": "/alerts/rules/1/switch/",
    "overview-compared": "/?range=1h&compare=day",
    "models": "/models/",
    "models-slowest": "/models/?order=slowest&range=6h",
    "model": "/models/1/",
    "models-compare": "/models/compare/?one=1&other=2",
    "annotations": "/annotations/",
    "annotation-new": "/annotations/new/",
    "breakers": "/breakers/",
    "breaker": "/breakers/text_to_audio:audioldm2/",
    "breaker-held": "/breakers/text_to_audio:musicgen-medium/",
    "breaker-disabled": "/breakers/analysis:clap-630k/",
    "breaker-probing": "/breakers/transcription:whisper-large-v3/",
    "breaker-event": "/breaker-events/15/",
    "breaker-resets": "/breaker-resets/?all=yes&state=not_closed",
    "breaker-settings": "/breaker-settings/",
    "breaker-settings-of": "/breaker-settings/breaker/text_to_audio:audioldm2/?preview=yes&minimum_calls=200",
    "breaker-settings-preview": "/breaker-settings/?preview=yes&max_failures=8&reset_timeout_ms=5000",
    "reset": "/breakers/text_to_audio:audioldm2/reset/",
    "force-open": "/breakers/embedding:mert-330m/force-open/",
    "operations": "/operations/",
    "operations-failed": "/operations/?outcome=failed&model=audioldm2&min_ms=500&order=slowest",
    "operations-none": "/operations/?operation_type=text_to_audio&error_type=Nothing",
    "operation": "/operations/0190a6e2-5c1f-7cc3-98c4-dc0c0c07398f/",
    "operation-gone": "/operations/00000000-0000-4000-8000-00000000ffff/",
    "optimizations": "/optimizations/",
    "optimizations-of": "/optimizations/?study=1",
    "optimization": "/optimizations/2/",
    "optimization-promote": "/optimizations/2/promote/",
    "optimization-propose": "/studies/1/propose/",
    "optimization-retire-set": "/parameter-sets/2/retire/",
    "recommendation": "/recommendations/00000000-0000-4001-8000-00000000012b/",
    "learning-settings": "/learning-settings/",
    "learning-settings-wrong": "/learning-settings/?preview=yes&control=3&steps=nonsense",
    "learning-settings-preview": "/learning-settings/?preview=yes&aim=score&control=0.2",
    "alert-channels": "/alerts/channels/",
    "patterns": "/patterns/",
    "patterns-pinned": "/patterns/?kind=pinned&order=seen",
    "patterns-calibrating": "/patterns/?space=clap-8",
    "pattern": "/patterns/1000000002/",
    "pattern-change": "/patterns/1000000002/change/",
    "pattern-merge": "/patterns/1000000002/merge/?into=5",
    "pattern-forget": "/patterns/1000000005/forget/",
    "validations": "/validation/",
    "validation": "/validation/50/",
    "resources": "/resources/?range=24h",
    "resource-cleanup": "/resources/cleanup/",
    "resource-cleanup-run": "/resources/cleanups/3/",
    "resource-limits": "/resources/limits/",
    "resource-limits-preview": "/resources/limits/?preview=yes&max_operations=1000&operations-days=2",
    "resource-limits-wrong": "/resources/limits/?preview=yes&audit-days=3&cleanup_low=0.9",
    "health": "/health/",
    "jobs": "/jobs/",
    "job-run": "/jobs/merge_patterns/run/",
    "settings": "/settings/",
    "settings-keys": "/settings/keys/",
    "settings-key-new": "/settings/keys/new/",
    "settings-key-revoke": "/settings/keys/1/revoke/",
    "settings-people": "/settings/people/",
    "settings-person-add": "/settings/people/add/",
    "settings-person-role": "/settings/people/1/role/",
    "settings-person-deactivate": "/settings/people/2/deactivate/",
    "settings-audit": "/settings/audit/",
    "settings-audit-preset": "/settings/audit/?action=breaker.force_open&range=7d",
    "account": "/account/",
    "missing": "/no-such-page/",
    "admin": "/admin/",
    "admin-operations": "/admin/featurememory/operation/",
    "admin-breakers": "/admin/featurememory/breaker/",
    "admin-breaker": "/admin/featurememory/breaker/1/change/",
    "admin-reset": "/admin/featurememory/breaker/1/reset/",
    "admin-metrics-only": "/admin/featurememory/breaker/1/metrics-only/",
    "admin-optimizations": "/admin/featurememory/optimization/",
    "admin-recommendations": "/admin/featurememory/recommendation/",
    "admin-key": "/admin/featurememory/apikey/add/",
    "login": "/login/",
}
ONLY_NORMAL = {name for name in PAGES if name.startswith("pattern")} - {"patterns"}
ONLY_INCIDENT = (
    PAGES.keys()
    - ONLY_NORMAL
    - {"overview", "alerts", "alert-history", "alert-silences", "alert-rules"}
    - {"operations", "breakers", "patterns", "optimizations", "validations", "resources", "health", "jobs"}
    - {"settings-keys", "settings-audit", "models", "annotations"}
)
WIDTHS = {360: 740, 1440: 900}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def served() -> Iterator[str]:
    """The application as it is deployed, with collected and hashed static files; gives its address."""
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("collectstatic", interactive=False, verbosity=0)
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def situations() -> Iterator[str]:
    """Builds one situation after the other, each in an empty database."""
    from django.core.management import call_command
    from django.utils import timezone

    from featurememory.integration.spaces import spaces
    from featurememory.serving.relief import give_memory_back
    from tests.browser.scenarios import SCENARIOS, people

    for name, build in SCENARIOS.items():
        call_command("flush", interactive=False, verbosity=0)
        spaces.cache_clear()
        give_memory_back()
        people()
        build(timezone.now())
        yield name


def shoot(directory: Path, wanted: set[str]) -> None:
    from tests.browser.chromium import chromium
    from tests.browser.scenarios import PASSWORD

    with served() as address, chromium() as browser:
        for situation in situations():
            for width, height in WIDTHS.items():
                for theme in ("light", "dark"):
                    page = browser.new_page(
                        viewport={"width": width, "height": height},
                        color_scheme=theme,  # type: ignore[arg-type]
                    )
                    page.goto(f"{address}/login/")
                    page.fill("[name=username]", "admin")
                    page.fill("[name=password]", PASSWORD)
                    page.click("button[type=submit]")
                    for name, path in PAGES.items():
                        if name not in wanted or not _belongs(name, situation):
                            continue
                        if name == "login":
                            page.context.clear_cookies()
                        page.goto(address + path)
                        page.wait_for_load_state("networkidle")
                        page.screenshot(
                            path=directory / f"{name}-{situation}-{theme}-{width}.png", full_page=True
                        )
                    page.close()


def _belongs(name: str, situation: str) -> bool:
    only = "normal" if name in ONLY_NORMAL else "incident" if name in ONLY_INCIDENT else situation
    return situation == only


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    wanted = set(sys.argv[2:]) or set(PAGES)
    with tempfile.TemporaryDirectory(prefix="featurememory-screenshots-") as data:
        os.environ |= {
            "FEATUREMEMORY_DATA_DIR": data,
            "DJANGO_SETTINGS_MODULE": "featurememory.settings",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright runs an event loop in this thread
        }
        os.environ.pop("DATABASE_URL", None)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        shoot(directory, wanted)


if __name__ == "__main__":
    main()
