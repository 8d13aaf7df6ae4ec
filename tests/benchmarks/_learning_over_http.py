"""The memory as the learning yardstick asks for it, through the HTTP API of a running server: to show that the system
adds nothing to its plain logic but latency.

The server's address and a key with all scopes are in FEATUREMEMORY_URL and FEATUREMEMORY_API_KEY.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from http.client import HTTPConnection
from math import exp
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from numpy.typing import NDArray


class Memory:
    """A feature space and an operation type of its own."""

    def __init__(
        self,
        seed: int,
        capacity: int,
        arms: list[str] | None = None,
        baseline: int | None = None,
        holdout: bool | None = None,
    ) -> None:
        self._connection = HTTPConnection(urlsplit(os.environ["FEATUREMEMORY_URL"]).netloc, timeout=60)
        self._name = f"yardstick-{uuid4().hex[:8]}"
        self._arms = [{"arm": name} for name in arms or []]
        self._baseline = baseline or 0
        self._given: dict[int, tuple[str, int, NDArray[Any]]] = {}
        self._pend: dict[int, tuple[int]] = {}
        values = {"aim": "duration"} | ({} if holdout else {"control": 0})
        self._ask(
            "PUT",
            f"/learning/settings?operation_type={self._name}",
            {"values": values, "reason": "the yardstick"},
        )

    def fit_norm(self, vectors: NDArray[Any]) -> None:
        self._send(*(self._operation(each, operation_type="warm-up") for each in vectors))

    def recommend(self, vector: NDArray[Any]) -> dict[str, Any]:
        given = self._ask(
            "POST",
            "/recommendations",
            {
                "operation_type": self._name,
                "baseline": self._arms[self._baseline],
                "candidates": [each for each in self._arms if each is not self._arms[self._baseline]],
                "features": vector.tolist(),
                "space": self._name,
            },
        )
        decision = len(self._given) + 1
        arm = self._arms.index(given["parameters"])
        pattern = -1 if given["pattern"] is None else given["pattern"]
        self._given[decision] = given["id"], arm, vector
        self._pend[decision] = (pattern,)
        return {
            "decision": decision,
            "arm": arm,
            "propensity": given["propensity"],
            "p_baseline": given["baseline_propensity"] or 1e-9,
            "pattern": pattern,
            "confidence": 0.0,
        }

    def report(self, decision: int, reward: float) -> None:
        id, arm, vector = self._given[decision]
        self._send(
            self._operation(
                vector, recommendation=id, parameters=self._arms[arm], duration_ms=exp(-float(reward))
            )
        )

    def effectiveness(self) -> dict[str, Any]:
        told = self._ask("GET", f"/learning/study?operation_type={self._name}")["effectiveness"]
        return {"lift": told["lift"], "ci": told["interval"], "cs": told["sequence"]}

    def claims(self) -> list[tuple[int, int, float, float, float, bool]]:
        found: dict[int, tuple[int, int, float, float, float, bool]] = {}
        cursor = ""
        while True:
            page = self._ask("GET", f"/optimizations?operation_type={self._name}&limit=500{cursor}")
            for each in page["items"]:
                arm = self._arms.index(each["parameters"])
                if arm == self._baseline or each["effect"] is None:
                    continue
                told = (each["pattern"], arm, each["effect"], each["effect_low"], each["effect_high"])
                best = found.get(each["pattern"])
                if best is None or each["effect"] > best[2]:
                    found[each["pattern"]] = (*told, each["is_effective"])
            if page["next_cursor"] is None:
                return list(found.values())
            cursor = f"&cursor={page['next_cursor']}"

    def _operation(self, vector: NDArray[Any], **fields: Any) -> dict[str, Any]:
        return {
            "id": str(uuid4()),
            "operation_type": self._name,
            "started_at": datetime.now(UTC).isoformat(),
            "duration_ms": 1.0,
            "outcome": "success",
            "features": vector.tolist(),
            "space": self._name,
        } | fields

    def _send(self, *operations: dict[str, Any]) -> None:
        answer = self._ask("POST", "/operations", {"operations": list(operations)})
        assert answer["accepted"] == len(operations), answer

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Authorization": f"Bearer {os.environ['FEATUREMEMORY_API_KEY']}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)
