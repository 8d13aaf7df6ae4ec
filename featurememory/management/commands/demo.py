"""`manage.py demo`: a small orchestrator that does real work through the SDK."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from featurememory import FeatureMemory
from featurememory.access import create_api_key
from featurememory.demo.orchestrator import Orchestrator
from featurememory.demo.work import LEARNING
from featurememory.management.data_dir import add_data_dir_option
from featurememory.models import ApiKey, LearningSettings
from featurememory.optimization.configuration import configure_learning

KEY_NAME = "demo"
STATUS_EVERY_S = 5.0

INTRODUCTION = """\
This is a small orchestrator. It compresses, hashes and analyses the files of this Python installation with the
standard library's codecs and parsers as its "models", about {rate:g} operations a second, on a part of one core.
One model parses in a process that may take only 4 MB: when the large files come (half a minute in every minute
and a half) it really dies, its breaker opens, and recovers when the small files are back. For the codecs and hashes
it asks which parameters to use, and the memory learns which are best for which kind of file.

Look at {url}/, {url}/breakers/ and, after some minutes, {url}/optimizations/. Ctrl-C ends it.
"""


class Command(BaseCommand):
    help = "Does real work through the SDK, so that there is something to see."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="the server (else the one that `up` runs here)")
        parser.add_argument("--api-key", help="a key with the scopes ingest and read (else one is made here)")
        parser.add_argument("--rate", type=float, default=25.0, help="operations a second (25)")
        parser.add_argument("--seconds", type=float, help="end by itself after so long")
        add_data_dir_option(parser)

    def handle(
        self, *args: Any, url: str | None, api_key: str | None, rate: float, seconds: float | None, **_: Any
    ) -> None:
        configuration = settings.CONFIGURATION
        url = (url or f"http://{configuration.host}:{configuration.port}{configuration.sub_path}").rstrip("/")
        if not 0 < rate <= 1_000:
            raise CommandError("--rate must lie between 0 and 1,000 operations a second.")
        _check_server(url)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write(INTRODUCTION.format(rate=rate, url=url))
        with FeatureMemory(url, api_key or _own_key()) as memory:
            self._work(Orchestrator(memory, rate, stop), memory, stop, seconds)

    def _work(
        self, orchestrator: Orchestrator, memory: FeatureMemory, stop: threading.Event, seconds: float | None
    ) -> None:
        worker = threading.Thread(target=orchestrator.run, args=(seconds,))
        worker.start()
        while worker.is_alive():
            worker.join(STATUS_EVERY_S)
            self._tell(orchestrator, memory)
        stop.set()
        delivered = memory.flush()
        stats, opened = memory.stats(), orchestrator.tally.opened
        recorded = stats.buffered + stats.sent + stats.dropped
        stored = stats.accepted + stats.duplicates
        self.stdout.write(f"Recorded {recorded}, on disk {stored}, dropped {stats.dropped}.")
        if not delivered:
            self.stdout.write("The server did not take the rest in time.")
        told = ", ".join(f"{name} ({times} times)" if times > 1 else name for name, times in opened.items())
        self.stdout.write(f"Breakers that opened: {told or 'none'}.")

    def _tell(self, orchestrator: Orchestrator, memory: FeatureMemory) -> None:
        tally, stats = orchestrator.tally, memory.stats()
        standing = [
            f"{name} {status.state}" for name, status in memory.breakers().items() if status.state != "closed"
        ]
        self.stdout.write(
            f"{time.strftime('%H:%M:%S')}  {orchestrator.phase}: {tally.done} done, {tally.failed} failed, "
            f"{tally.refused} refused; {stats.accepted} on disk; "
            + (", ".join(standing) if standing else "all breakers closed")
        )
        self.stdout.flush()


def _check_server(url: str) -> None:
    try:
        with urlopen(f"{url}/healthz", timeout=5):  # noqa: S310 - the operator's own choice of server
            return
    except (URLError, OSError, ValueError) as failure:
        raise CommandError(
            f"No server answers at {url} ({failure}). Start one with `uv run manage.py up`, or name it with --url."
        ) from None


def _own_key() -> str:
    """A fresh key for the demo in the local database; the one of the last run ends. How the demo's operation types are
    learned from is set there too, unless somebody has set it."""
    for operation_type, values in LEARNING.items():
        if not LearningSettings.objects.filter(operation_type=operation_type).exists():
            reason = "the demo's codecs are to be quick as well"
            configure_learning(operation_type, values, actor="demo", reason=reason, now=timezone.now())
    ApiKey.objects.filter(name=KEY_NAME).delete()
    return create_api_key(KEY_NAME, ["ingest", "read"])[1]
