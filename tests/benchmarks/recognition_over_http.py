"""How long recognition takes over HTTP, on a kept connection, one request after the other, among patterns of 768
dimensions that came as a memory pack."""

from __future__ import annotations

import gzip
import json
import tempfile
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import numpy as np

from featurememory.core.features import Matrix
from featurememory.core.projection import principal_plane
from featurememory.core.spaces import WARM_UP, calibrate
from tests.benchmarks import Row
from tests.benchmarks.recognition import embeddings
from tests.servers import running_server

SIZES, ASKED = (1_000, 10_000), 500


def run() -> list[Row]:
    return [row for patterns in SIZES for row in _measure(patterns)]


def _measure(patterns: int) -> list[Row]:
    chance = np.random.default_rng(patterns)
    vectors = embeddings(chance, patterns)
    queries = vectors[chance.integers(patterns, size=ASKED)]
    queries = queries + 0.5 * chance.standard_normal(queries.shape, np.float32)
    with tempfile.TemporaryDirectory() as directory, running_server(Path(directory) / "server") as server:
        started = perf_counter()
        server.manage("importmemory", str(_pack(Path(directory) / "memory.pack.gz", vectors)))
        imported_s = perf_counter() - started
        connection = HTTPConnection("127.0.0.1", server.port)
        headers = {"Authorization": f"Bearer {server.create_key('read')}", "Content-Type": "application/json"}
        taken = []
        for query in queries:
            body = json.dumps({"space": "bench", "features": query.tolist()})
            started = perf_counter()
            connection.request("POST", "/api/v1/patterns/recognize", body, headers)
            answer = connection.getresponse()
            answer.read()
            taken.append((perf_counter() - started) * 1e3)
            if answer.status != 200:
                raise RuntimeError(f"recognize answered {answer.status}")
    first, (p50, p99) = taken[0], np.quantile(taken[10:], (0.5, 0.99)).tolist()
    name = f"recognition over HTTP, {patterns:,} patterns"
    return [
        Row(f"{name}, p50", "-", "-", f"{p50:.2f}", "ms", None),
        Row(f"{name}, p99", "50", "< 5", f"{p99:.2f}", "ms", p99 < 5),
        Row(f"{name}, the first", "-", "-", f"{first:.0f}", "ms", None),
        Row(f"a pack of {patterns:,} patterns taken in", "-", "-", f"{imported_s:.1f}", "s", None),
    ]


def _pack(path: Path, vectors: Matrix) -> Path:
    space = calibrate(vectors[:WARM_UP])
    units = np.concatenate([space.normalise_all(part) for part in np.array_split(vectors, 20)])
    lines = [
        {"kind": "header", "format": "featurememory-pack", "version": 1, "id": str(uuid4())},
        {
            "kind": "space",
            "name": "bench",
            "dimension": vectors.shape[1],
            "calibration": space.to_mapping(),
            "axes": b64encode(principal_plane(units[:WARM_UP]).to_bytes()).decode(),
        },
        *(
            {
                "kind": "pattern",
                "space": "bench",
                "key": key,
                "centroid": b64encode(unit.tobytes()).decode(),
                "count": 10,
                "spread": 0.1,
                "visits": 1.0,
                "label": "",
                "pinned": False,
            }
            for key, unit in enumerate(units, 1)
        ),
    ]
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path
