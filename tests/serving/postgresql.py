"""A real PostgreSQL that a test can cut connections of, stop and start."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import program, running_postgresql


@dataclass
class RestartablePostgreSQL:
    url: str
    directory: Path

    def cut_connections(self) -> None:
        """Ends every other session, as a proxy or an operator does."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def stop(self) -> None:
        self._control("stop", "-m", "fast")

    def start(self) -> None:
        """With the options that it ran with before."""
        self._control("start", "-l", "/dev/null", "-o", self._options)

    def __post_init__(self) -> None:
        started_with = (self.directory / "postmaster.opts").read_text().split('"')[1::2]
        self._options = " ".join(started_with[started_with.index("-p") :])

    def _control(self, *arguments: str) -> None:
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            as_user = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
        subprocess.run(
            [program("pg_ctl", *map(str, versions)), "-D", self.directory, "-w", *arguments],
            check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user,
        )  # fmt: skip


@contextlib.contextmanager
def restartable_postgresql() -> Iterator[RestartablePostgreSQL]:
    """In a directory of its own: pytest's are closed to PostgreSQL's user whenever another run begins."""
    with (
        tempfile.TemporaryDirectory(prefix="featurememory-tests-") as directory,
        running_postgresql(Path(directory)) as url,
    ):
        database = RestartablePostgreSQL(url, Path(directory) / "postgresql")
        yield database
        if (database.directory / "postmaster.pid").exists():
            database.stop()
