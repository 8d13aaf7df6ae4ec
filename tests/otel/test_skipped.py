"""Spans that are no operations are taken without a word, and counted where an operator looks."""

from __future__ import annotations

from tests.otel.spans import export_json, span_json
from tests.servers import RunningServer, wait_until


def test_skipped_spans_are_counted_in_the_metrics_of_the_process(shared_server: RunningServer) -> None:
    key = shared_server.create_key("ingest", "read")
    others = [span_json() | {"attributes": []} for _ in range(3)]
    status, _, answer = shared_server.request(
        "POST", "/v1/traces", export_json(*others, span_json()), key=key
    )
    assert (status, answer) == (200, {})

    def skipped() -> float:
        _, _, text = shared_server.request("GET", "/metrics", key=key)
        name = "featurememory_otlp_skipped_spans_total{"
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    wait_until(lambda: skipped() >= 3, "the count of skipped spans")
