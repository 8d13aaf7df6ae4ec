"""/metrics before a real linter and a real Prometheus."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.live.breakers import open_breaker
from tests.servers import RunningServer, free_port, program, wait_until

pytestmark = pytest.mark.sqlite_only


def test_promtool_finds_nothing_to_say(shared_server: RunningServer) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    open_breaker(shared_server, key, "measured")
    status, _, text = shared_server.request("GET", "/metrics", key=key)
    assert status == 200
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_metrics_need_a_key(shared_server: RunningServer) -> None:
    assert shared_server.request("GET", "/metrics")[0] == 401
    assert shared_server.request("GET", "/metrics", key=shared_server.create_key("ingest"))[0] == 403


def test_a_real_prometheus_scrapes_it(shared_server: RunningServer, tmp_path: Path) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    open_breaker(shared_server, key, "scraped")
    port = free_port()
    config = {
        "scrape_configs": [
            {
                "job_name": "featurememory",
                "scrape_interval": "1s",
                "authorization": {"credentials": key},
                "static_configs": [{"targets": [f"127.0.0.1:{shared_server.port}"]}],
            }
        ]
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    prometheus = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def query(expression: str) -> list[Any]:
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"])

    try:
        (errors,) = wait_until(
            lambda: query('featurememory_operations_total{model="scraped",outcome="error"}'), "a scrape"
        )
        assert errors["value"][1] == "5"
        (state,) = query('featurememory_circuitbreaker_state{name="transcription:scraped"} == 1')
        assert state["metric"]["state"] == "open"
    finally:
        prometheus.terminate()
        prometheus.wait(30)
