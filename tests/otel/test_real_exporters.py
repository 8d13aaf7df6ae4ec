"""OpenTelemetry's own exporters, protobuf from Python and JSON from JavaScript, against a running server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from tests.servers import RunningServer, program

HERE = Path(__file__).parent


def stored(server: RunningServer, instance: str) -> dict[str, dict[str, Any]]:
    status, _, page = server.request("GET", "/api/v1/operations", key=server.create_key("ingest", "read"))
    assert status == 200
    return {each["model"]: each for each in page["items"] if each["instance"] == instance}


def test_python_protobuf_spans_become_operations_and_a_bad_one_is_lost_alone(
    shared_server: RunningServer,
) -> None:
    key = shared_server.create_key("ingest", "read")
    provider = TracerProvider(resource=Resource({"service.instance.id": "orchestrator-7"}))
    exporter = OTLPSpanExporter(
        f"{shared_server.url}/v1/traces",
        headers={"Authorization": f"Bearer {key}"},
        compression=Compression.Gzip,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for model in ("one", "x" * 300, "three"):
        with tracer.start_as_current_span("generate") as span:
            span.set_attribute("feature_memory.operation_type", "text_to_audio")
            span.set_attribute("gen_ai.response.model", model)
            span.set_attribute("feature_memory.score", 0.75)
            span.set_attribute("gen_ai.input.messages", "private words")
    with tracer.start_as_current_span("failing") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.request.model", "slow")
        span.set_attribute("error.type", "TimeoutError")
        span.set_status(Status(StatusCode.ERROR, "took too long"))
    with tracer.start_as_current_span("GET /"):
        pass
    provider.shutdown()

    operations = stored(shared_server, "orchestrator-7")
    assert set(operations) == {"one", "three", "slow"}
    assert operations["one"]["operation_type"] == "text_to_audio"
    assert operations["one"]["score"] == 0.75
    assert "private words" not in str(operations)
    assert operations["slow"]["outcome"] == "timeout"
    assert operations["slow"]["error_message"] == "took too long"


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exporter installed."""
    npm = program("npm")
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "package-lock.json", "export.mjs"):
        shutil.copy(HERE / name, folder / name)
    subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True, timeout=120
    )
    return folder


def test_javascript_json_spans_become_operations_and_a_bad_one_is_lost_alone(
    shared_server: RunningServer, javascript: Path
) -> None:
    environment = os.environ | {
        "SERVER": shared_server.url,
        "KEY": shared_server.create_key("ingest", "read"),
    }
    subprocess.run([program("node"), "export.mjs"], cwd=javascript, env=environment, check=True, timeout=60)

    operations = stored(shared_server, "typescript-orchestrator")
    assert set(operations) == {"one", "two", "four"}
    assert operations["two"]["parameters"] == {"temperature": 0.5, "steps": 50}
