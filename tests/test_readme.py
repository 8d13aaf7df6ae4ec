"""The README's commands and examples work as they are pasted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.configuration import read_configuration
from featurememory.optimization.settings import Settings
from tests.live.breakers import act
from tests.servers import ROOT, RunningServer, program

README = (ROOT / "README.md").read_text()
pytestmark = pytest.mark.sqlite_only


def block(language: str, beginning: str) -> str:
    """The block of code that contains `beginning`."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if beginning in each]
    return str(found)


@pytest.fixture
def environment(shared_server: RunningServer) -> dict[str, str]:
    """What a reader's shell has after the step that makes a key."""
    assert "createapikey my-orchestrator --scope ingest --scope read)" in block("sh", "createapikey")
    key = shared_server.create_key("ingest", "read")
    return os.environ | {
        "FEATUREMEMORY_API_KEY": key,
        "FEATUREMEMORY_URL": shared_server.url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def run(code: str, server: RunningServer, environment: dict[str, str], *command: str) -> str:
    """What `code` prints; the README's port is that of the server here."""
    done = subprocess.run(
        [*map(str, command), code.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(server: RunningServer, environment: dict[str, str], **query: str) -> list[dict[str, str]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    _, _, page = server.request("GET", f"/api/v1/operations?{text}", key=environment["FEATUREMEMORY_API_KEY"])
    items: list[dict[str, str]] = page["items"]
    return items


def test_the_deploy_example_writes_an_annotation(
    shared_server: RunningServer, environment: dict[str, str]
) -> None:
    run(block("sh", "api/v1/annotations"), shared_server, environment, "bash", "-euc")

    _, _, page = shared_server.request("GET", "/api/v1/annotations", key=environment["FEATUREMEMORY_API_KEY"])
    assert page["items"][0]["text"] == "audioldm 1.3"


def test_the_sdk_example_delivers(shared_server: RunningServer, environment: dict[str, str]) -> None:
    code = block("python", "handle_operation(")
    assert run(code, shared_server, environment, sys.executable, "-c") == "delivered: True\n"
    kinds = {each["operation_type"] for each in stored(shared_server, environment, outcome="success")}
    assert {"text_to_audio", "transcription"} <= kinds


def test_the_learning_example_asks_and_delivers(
    shared_server: RunningServer, environment: dict[str, str]
) -> None:
    code = block("python", "op.recommend")
    first = {"operation_type": "warm-up", "baseline": {}, "features": [1.0], "space": "warm-up"}
    key = environment["FEATUREMEMORY_API_KEY"]
    assert shared_server.request("POST", "/api/v1/recommendations", first, key=key)[0] == 200
    told = run(code, shared_server, environment, sys.executable, "-c")
    assert told == "used: {'steps': 50, 'guidance': 3.5} baseline\ndelivered: True\n"
    (learned, *_) = stored(shared_server, environment, operation_type="text_to_audio")
    assert learned["recommendation"]


def test_every_learning_setting_is_in_the_readme() -> None:
    for name in Settings.__dataclass_fields__:
        assert f"`{name}`" in README, name


def test_the_http_example_is_accepted(shared_server: RunningServer, environment: dict[str, str]) -> None:
    answer = run(block("sh", "api/v1/operations"), shared_server, environment, "bash", "-c")
    assert '"accepted":1' in answer


def test_the_opentelemetry_example_arrives(shared_server: RunningServer, environment: dict[str, str]) -> None:
    run(block("python", "OTLPSpanExporter"), shared_server, environment, sys.executable, "-c")
    (operation,) = stored(shared_server, environment, operation_type="chat", model="small-model")
    assert operation["parameters"] == {"temperature": 0.7}


@pytest.fixture(scope="session")
def esbuild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes the types out of TypeScript."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests" / "typescript" / name, folder / name)
    install = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(install, cwd=folder, check=True, timeout=120)
    return folder / "node_modules" / ".bin" / "esbuild"


def test_the_typescript_example_guards_and_reports(
    shared_server: RunningServer, environment: dict[str, str], esbuild: Path
) -> None:
    code = block("typescript", "permits")
    to_javascript = [esbuild, "--loader=ts", "--format=esm", "--target=es2022"]
    script = subprocess.run(to_javascript, input=code, capture_output=True, text=True, check=True).stdout
    node = [program("node"), "--input-type=module", "-e"]
    assert run(script, shared_server, environment, *node) == "audio for rain\n"
    assert run(script, shared_server, environment, *node) == "audio for rain\n"
    assert [each["outcome"] for each in stored(shared_server, environment, model="audioldm")][:2] == [
        "success"
    ] * 2
    key = shared_server.create_key("ingest", "read", "control")
    act(shared_server, key, "text_to_audio:audioldm", "force-open")
    with pytest.raises(AssertionError, match="text_to_audio:audioldm is forced_open"):
        run(script, shared_server, environment, *node)
    act(shared_server, key, "text_to_audio:audioldm", "reset")


def test_every_setting_of_a_breaker_stands_in_the_table_with_its_default() -> None:
    part = README.partition("## Breakers")[2].partition("\n## ")[0]
    told: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]+) \|", part, re.MULTILINE):
        named = re.findall(r"`([a-z_]+)`", names)
        told |= dict(zip(named, defaults.split(", ") if len(named) > 1 else [defaults], strict=True))
    values = BreakerConfig()._asdict()
    assert told.keys() == values.keys()
    for name, value in values.items():
        if isinstance(value, int | float):
            assert told[name] == f"{value:,g}", name


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    table = {
        name: default
        for names, default in re.findall(r"^\| (`[A-Z_`, ]+`) \| ([^|]+) \|", README, re.MULTILINE)
        for name, default in zip(re.findall(r"`([A-Z_]+)`", names), default.split(", "), strict=False)
    }
    source = (ROOT / "featurememory" / "configuration.py").read_text()
    read = {f"FEATUREMEMORY_{name}" for name in re.findall(r'prefix \+ "([A-Z_]+)"', source)}
    assert read | {"DATABASE_URL", "REDIS_URL", "FEATUREMEMORY_ADMIN_PASSWORD"} == table.keys()
    configuration = read_configuration({})
    for name, default in table.items():
        value = getattr(configuration, name.removeprefix("FEATUREMEMORY_").lower(), None)
        if isinstance(value, int) and not isinstance(value, bool):
            assert default == f"`{value}`", name
