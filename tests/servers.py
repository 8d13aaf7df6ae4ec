"""Real servers for tests: PostgreSQL, Redis, Alertmanager and Feature Memory itself, each on a free port of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN_S = 60.0
ADMIN_PASSWORD = "correct-horse-battery-staple"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, *places: str) -> str:
    """Where the program is. Without it tests are skipped at a desk and fail in CI."""
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed", pytrace=False)
        pytest.skip(f"{name} is not installed")
    return found


def wait_until(condition: Any, what: str, timeout: float = START_WITHIN_S) -> Any:
    """The first true value of `condition()`; fails naming `what` when it takes too long."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = condition()
            if found:
                return found
        time.sleep(0.01)  # polling another process, under a deadline
    raise AssertionError(f"{what} did not happen within {timeout:.0f} s")


@contextlib.contextmanager
def running_postgresql(directory: Path, *, durable: bool = False) -> Iterator[str]:
    """The URL of a fresh PostgreSQL cluster in `directory`. Unless it is `durable` it outlives its own end and that of
    its clients, not that of the machine: a flush between two tests then takes a tenth of the time. Nor does it then
    count tables by itself, at a moment that no test knows, and plan by that."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = program("initdb", *map(str, versions))
    data, port = directory / "postgresql", free_port()
    data.mkdir(parents=True)
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        os.chown(data, postgres.pw_uid, postgres.pw_gid)
        for parent in data.parents:
            with contextlib.suppress(PermissionError):
                parent.chmod(parent.stat().st_mode | 0o011)
        as_user = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
    subprocess.run(
        [initdb, "-D", data, "-U", "memory", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    if not durable:
        options += " -c fsync=off -c autovacuum=off"
    server = subprocess.Popen(
        [Path(initdb).with_name("postgres"), "-D", data, *options.split(" ")],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user,
    )  # fmt: skip
    try:
        ready = [Path(initdb).with_name("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL's start")
        yield f"postgres://memory@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


@dataclass
class RunningRedis:
    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running_redis(directory: Path, port: int | None = None) -> Iterator[RunningRedis]:
    """A Redis of its own; nothing is kept."""
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [program("redis-server"), "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"],
        cwd=directory, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "Redis' start")
        yield RunningRedis(f"redis://127.0.0.1:{port}/0", process)
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def running_alertmanager(directory: Path, webhook: str, key: str) -> Iterator[str]:
    """The URL of an Alertmanager that posts whatever it hears to `webhook`, without waiting."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    receiver = {
        "url": webhook,
        "send_resolved": True,
        "http_config": {"authorization": {"credentials": key}},
    }
    configuration = {
        "route": {
            "receiver": "memory",
            "group_by": ["alertname"],
            "group_wait": "50ms",
            "group_interval": "200ms",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "memory", "webhook_configs": [receiver]}],
    }
    (directory / "alertmanager.yml").write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [
            program("prometheus-alertmanager"),
            f"--config.file={directory / 'alertmanager.yml'}",
            f"--storage.path={directory / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(
            lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "Alertmanager's start"
        )
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@dataclass
class RunningServer:
    """`manage.py up` in a process of its own."""

    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path
    keys: dict[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def manage(self, *arguments: str) -> str:
        """The output of a management command on this server's data."""
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", *arguments],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def create_key(self, *scopes: str) -> str:
        """A key with these scopes, made once."""
        if scopes not in self.keys:
            options = [part for scope in scopes for part in ("--scope", scope)]
            self.keys[scopes] = self.manage("createapikey", "-".join(scopes), *options)
        return self.keys[scopes]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """(status, headers, JSON or text) of a request; `body` is sent as JSON unless it is bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Content-Type": "application/json"} | dict(headers or {})
        if key:
            sent["Authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get_content_type()
        value = json.loads(text) if kind.endswith("json") else text.decode(errors="replace")
        return answer.status, {name.lower(): each for name, each in answer.headers.items()}, value

    def is_ready(self) -> bool:
        return self.request("GET", "/readyz")[0] == 200

    def child_pids(self) -> list[int]:
        """The web and the worker process, in the order of their forks."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        self.process.terminate()
        return self.process.wait(60)


def start_server(data_dir: Path, *, port: int | None = None, **environment: str) -> RunningServer:
    """Starts `manage.py up` and returns when it is ready."""
    port = port or free_port()
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FEATUREMEMORY_", "PYTEST")) and name not in ("DATABASE_URL", "REDIS_URL")
    }
    env |= {
        "FEATUREMEMORY_DATA_DIR": str(data_dir),
        "FEATUREMEMORY_ADMIN_PASSWORD": ADMIN_PASSWORD,
    } | environment
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "up", "--port", str(port)],
            env=env, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    server = RunningServer(port, data_dir, process, env, log)
    try:
        wait_until(lambda: process.poll() is not None or server.is_ready(), "the server's start")
        assert process.poll() is None, log.read_text()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return server


@contextlib.contextmanager
def running_server(data_dir: Path, *, port: int | None = None, **environment: str) -> Iterator[RunningServer]:
    """`manage.py up` on a free port, stopped in good order at the end."""
    server = start_server(data_dir, port=port, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
