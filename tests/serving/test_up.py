"""`manage.py up` as its operator knows it: start, stop, crash, and what it says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.live.breakers import open_breaker
from tests.live.events import Stream
from tests.servers import ROOT, RunningServer, running_server, start_server, wait_until

ALL = ("ingest", "read", "control")


def component(server: RunningServer, name: str) -> tuple[str, str]:
    _, _, health = server.request("GET", "/api/v1/health", key=server.create_key(*ALL))
    found = health["components"].get(name, {})
    return found.get("status", ""), found.get("reason", "")


def up(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A start that is to fail."""
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "up", *arguments],
        env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_good_order_with_a_stream_open_and_keeps_what_it_took(
    tmp_path: Path, database_environment: dict[str, str], number: signal.Signals
) -> None:
    server = start_server(tmp_path, **database_environment)
    key = server.create_key(*ALL)
    name = open_breaker(server, key)
    stream = Stream(server, key)
    stream.next_event("snapshot")
    children = [psutil.Process(pid) for pid in server.child_pids()]
    server.process.send_signal(number)
    assert server.process.wait(20) == 0
    assert not any(child.is_running() for child in children)
    log = server.log.read_text()
    assert not re.search(r"WARNING|ERROR|Traceback", log), log

    with running_server(tmp_path, **database_environment) as again:
        status, _, breaker = again.request("GET", f"/api/v1/breakers/{name}", key=key)
        assert (status, breaker["state"]) == (200, "open")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("position", "role"), [(0, "web"), (1, "worker")])
def test_a_process_that_dies_is_started_again_and_that_is_seen(
    tmp_path: Path, position: int, role: str
) -> None:
    with running_server(tmp_path) as server:
        wait_until(lambda: component(server, "jobs")[0] == "healthy", "health")
        os.kill(server.child_pids()[position], signal.SIGKILL)
        _, reason = wait_until(
            lambda: found if (found := component(server, "jobs"))[0] == "degraded" else None,
            "notice of the restart",
        )
        assert reason.startswith(role)
        assert "had to be started again, once so far (killed by SIGKILL)" in reason
        assert f"the {role} process ended (killed by SIGKILL)" in server.log.read_text()


@pytest.mark.sqlite_only
def test_children_stop_by_themselves_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    children = [psutil.Process(pid) for pid in server.child_pids()]
    server.process.kill()
    server.process.wait()
    assert psutil.wait_procs(children, timeout=20)[1] == []


@pytest.mark.sqlite_only
def test_the_first_administrator_is_drawn_and_shown_once(tmp_path: Path) -> None:
    for expected in (1, 0):
        server = start_server(
            tmp_path / "data", FEATUREMEMORY_ADMIN_PASSWORD="", FEATUREMEMORY_SECRET_KEY="s" * 60
        )
        server.stop()
        shown = re.findall(r"admin with the password (\S{20})", server.log.read_text())
        assert len(shown) == expected
        server.log.unlink()


@pytest.mark.sqlite_only
def test_createapikey_prints_the_key_and_nothing_else(shared_server: RunningServer) -> None:
    assert re.fullmatch(r"fm_[\w-]{43}", shared_server.manage("createapikey", "printed", "--scope", "read"))


@pytest.mark.sqlite_only
def test_wrong_settings_are_all_named_with_what_would_be_right(tmp_path: Path) -> None:
    done = up(
        FEATUREMEMORY_DATA_DIR=str(tmp_path),
        FEATUREMEMORY_PORT="eighty",
        DATABASE_URL="mysql://somewhere",
        REDIS_URL="somewhere",
        FEATUREMEMORY_HTTPS="perhaps",
        FEATUREMEMORY_TIME_ZONE="Mars/Olympus",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for said in (
        "FEATUREMEMORY_PORT='eighty': must be a whole number from 0 to 65535",
        "DATABASE_URL='mysql://somewhere': must look like postgres://",
        "REDIS_URL='somewhere': must look like redis://",
        "FEATUREMEMORY_HTTPS='perhaps': must be 'yes' or 'no'",
        "FEATUREMEMORY_TIME_ZONE='Mars/Olympus': must be a time zone's name",
    ):
        assert said in done.stderr


@pytest.mark.sqlite_only
def test_a_port_that_is_taken_is_said_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = up("--port", port, "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.sqlite_only
def test_it_works_below_a_sub_path_whether_the_proxy_takes_it_off_or_not(tmp_path: Path) -> None:
    with running_server(tmp_path, FEATUREMEMORY_SUB_PATH="/memory") as server:
        for path in ("/login/", "/memory/login/"):
            status, _, page = server.request("GET", path)
            assert status == 200
            assert 'href="/memory/static/css/' in page
        stylesheet = re.search(r'href="/memory(/static/css/[^"]+)"', page)
        assert stylesheet is not None
        assert server.request("GET", "/memory" + stylesheet.group(1))[0] == 200


@pytest.mark.sqlite_only
def test_the_documented_production_settings_pass_the_deployment_check(tmp_path: Path) -> None:
    environment = os.environ | {"FEATUREMEMORY_HTTPS": "yes", "FEATUREMEMORY_DATA_DIR": str(tmp_path)}
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # the browser tests set it
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
