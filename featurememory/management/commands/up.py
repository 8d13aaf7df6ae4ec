"""`manage.py up`: everything on one machine, by one command."""

from __future__ import annotations

import os
import shlex
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from featurememory.management.data_dir import add_data_dir_option
from featurememory.serving.apart import FailedApart, apart
from featurememory.serving.preparation import (
    FIRST_ADMINISTRATOR,
    collect_static_files,
    ensure_administrator,
    prepare_database,
)

BACKLOG = 2_048


class Command(BaseCommand):
    help = "Prepares the data directory, then serves web pages and API and runs the jobs, until told to stop."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", help="address to listen on (FEATUREMEMORY_HOST, else 127.0.0.1)")
        parser.add_argument("--port", type=int, help="port to listen on (FEATUREMEMORY_PORT, else 8000)")
        add_data_dir_option(parser)

    def handle(self, *args: Any, host: str | None, port: int | None, **options: Any) -> None:
        configuration = settings.CONFIGURATION
        listener = _listen(host or configuration.host, configuration.port if port is None else port)
        os.umask(0o077)
        try:
            password = apart(_prepare)
        except FailedApart as failure:
            raise CommandError(str(failure)) from None
        self._greet(listener, password, options["data_dir"])
        self._serve(listener)

    def _greet(self, listener: socket.socket, password: str, data_dir: str | None) -> None:
        host, port = listener.getsockname()[:2]
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - where to look
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.CONFIGURATION.sub_path}/"
        lines = [f"Feature Memory serves at {url}", f"Data: {settings.CONFIGURATION.data_dir}"]
        if password:
            lines.append(
                f"First administrator: {FIRST_ADMINISTRATOR} with the password {password} (shown this once)"
            )
        here = f" --data-dir {shlex.quote(data_dir)}" if data_dir else ""
        lines.append(
            f"A key for your orchestrator: uv run manage.py createapikey NAME --scope ingest --scope read{here}"
        )
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def _serve(self, listener: socket.socket) -> None:
        import featurememory.asgi  # loaded before the fork, so that both processes share it
        import featurememory.celery
        import featurememory.jobs
        import featurememory.urls  # noqa: F401
        from featurememory.serving.processes import web_process, worker_process
        from featurememory.serving.supervisor import Supervisor

        Supervisor({"web": web_process(listener), "worker": worker_process}).run()


def _prepare() -> str:
    """The first administrator's password, if one had to be drawn."""
    prepare_database()
    collect_static_files()
    return ensure_administrator() or ""


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as failure:
        raise CommandError(
            f"Cannot listen on {host}, port {port}: {failure}. Choose another with --port."
        ) from None
    return listener
