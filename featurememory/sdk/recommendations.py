"""Recommended parameters: asked of the server at most a fraction of a second, or made here from what it last believed.

What was believed of a pattern is kept for a few seconds or a few uses, and dropped at once when the server says that
something was promoted or shut out; until then the same policy chooses here, and the operation tells the server how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps, loads
from threading import Lock
from time import monotonic, time_ns
from typing import Any, NamedTuple

from featurememory.sdk.context import OperationContext
from featurememory.sdk.encoding import features_of
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, ServerAddress
from featurememory.sdk.identity import RANDOM_BITS, random_bits, uuid7

_PATH = "/api/v1/recommendations"
_QUIET_S = 5.0
"""How long nobody asks again after an answer failed to come in time: each would cost its caller as much."""
_IDLE_CONNECTIONS = 4
_KEPT_BELIEFS = 512
_SEED_BITS = 62
_VISITS_A_USE = 10

Parameters = Mapping[str, Any]


class Recommended(NamedTuple):
    """What an operation shall be called with. `id` and `choice` go to the server with it; without a word of the server
    `source` is `fallback` and `parameters` are the baseline."""

    parameters: dict[str, Any]
    source: str = "fallback"
    id: str = ""
    choice: dict[str, Any] | None = None


class _Kept:
    """A belief, and how long it serves: until `until`, and as often as leaves it nine parts in ten of what is known."""

    __slots__ = ("arms", "baseline", "belief", "id", "texts", "until", "uses")

    def __init__(self, given: Mapping[str, Any], until: float) -> None:
        from featurememory.optimization.choosing import Belief
        from featurememory.optimization.parameters import canonical

        belief = Belief.restored(given["content"])
        sets = {int(arm): parameters for arm, parameters in given["arms"].items()}
        self.belief = belief
        self.arms: dict[int, dict[str, Any]] = {
            number: sets[arm] for number, arm in enumerate(belief.arms) if arm is not None and arm in sets
        }
        """Parameters by number."""
        self.texts = {canonical(parameters): number for number, parameters in self.arms.items()}
        """Numbers by the parameters' canonical text."""
        self.id: int = given["id"]
        self.baseline = belief.arms.index(given["baseline"])
        self.until = until
        self.uses = belief.believed.visits // _VISITS_A_USE


class Recommender:
    """For any number of threads."""

    def __init__(self, address: ServerAddress, api_key: str, timeout_s: float, keep_s: float) -> None:
        """An answer is waited for `timeout_s`; a belief is used for `keep_s` after it came."""
        self._address = address
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._timeout_s = timeout_s
        self._keep_s = keep_s
        self._begin()

    def _begin(self) -> None:
        self._lock = Lock()
        self._idle: list[HttpConnection] = []
        self._kept: dict[tuple[Any, ...], _Kept] = {}
        self._quiet_until = 0.0

    def after_fork(self) -> None:
        """In the child: connections are the parent's."""
        for connection in self._idle:
            connection.abandon()
        self._begin()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def recommend(
        self,
        context: OperationContext,
        baseline: Parameters,
        candidates: Sequence[Parameters] | None = None,
        pattern: int | None = None,
    ) -> Recommended:
        """Never raises, and never waits longer than the time-out."""
        try:
            return self._recommend(context, baseline, candidates, pattern)
        except Exception as error:  # whatever the parameters may do
            warn("recommend", f"no parameters are recommended: {error!r}")
            return Recommended(dict(baseline))

    def forget(self, operation_type: str, model: str) -> None:
        """The server says that what is believed here has changed."""
        with self._lock:
            self._kept = {key: each for key, each in self._kept.items() if key[:2] != (operation_type, model)}

    def _recommend(
        self,
        context: OperationContext,
        baseline: Parameters,
        candidates: Sequence[Parameters] | None,
        pattern: int | None,
    ) -> Recommended:
        from featurememory.optimization.parameters import canonical

        features = None if pattern is not None else context.features
        text = canonical(baseline)
        place = hash((context.space, features)) if features else pattern
        key = (context.operation_type, context.model, bool(features), place, text)
        kept = self._kept.get(key)
        if kept is not None and kept.uses > 0 and monotonic() < kept.until:
            kept.uses -= 1
            among = None if candidates is None else [kept.texts.get(canonical(each)) for each in candidates]
            if among is None or None not in among:
                return _choose(kept, baseline, among)
        return self._ask(context, baseline, candidates, pattern, features, key)

    def _ask(
        self,
        context: OperationContext,
        baseline: Parameters,
        candidates: Sequence[Parameters] | None,
        pattern: int | None,
        features: tuple[float, ...] | None,
        key: tuple[Any, ...],
    ) -> Recommended:
        if monotonic() < self._quiet_until:
            return Recommended(dict(baseline))
        body: dict[str, Any] = {
            "operation_type": context.operation_type,
            "model": context.model,
            "baseline": baseline,
            "candidates": candidates,
            "pattern": pattern,
            "belief": self._keep_s > 0,
        }
        if features and context.space:
            body |= {"features": features_of(features), "space": context.space}
        connection = self._connection()
        try:
            response = connection.request("POST", _PATH, self._headers, dumps(body, allow_nan=False).encode())
        except OSError as error:
            self._quiet_until = monotonic() + _QUIET_S
            warn("recommend", f"no parameters are recommended, the server is away or too slow: {error}")
            return Recommended(dict(baseline))
        self._give_back(connection)
        if response.status != 200:
            if response.status >= 500 or response.status in (401, 403, 429):
                self._quiet_until = monotonic() + _QUIET_S
            warn(
                "recommend", f"no parameters are recommended: {response.body[:500].decode(errors='replace')}"
            )
            return Recommended(dict(baseline))
        answer = loads(response.body)
        if (belief := answer.get("belief")) is not None:
            self._keep(key, belief)
        return Recommended(answer["parameters"], answer["source"], answer["id"])

    def _keep(self, key: tuple[Any, ...], given: Mapping[str, Any]) -> None:
        kept = _Kept(given, monotonic() + self._keep_s)
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = kept
            if len(self._kept) > _KEPT_BELIEFS:
                del self._kept[next(iter(self._kept))]

    def _connection(self) -> HttpConnection:
        with self._lock:
            return self._idle.pop() if self._idle else HttpConnection(self._address, self._timeout_s)

    def _give_back(self, connection: HttpConnection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()


def _choose(kept: _Kept, baseline: Parameters, among: list[int | None] | None) -> Recommended:
    seed = random_bits(_SEED_BITS)
    numbers = None if among is None else [number for number in among if number is not None]
    choice = kept.belief.choose(kept.baseline, seed, numbers)
    source = kept.belief.source(choice)
    parameters = baseline if choice.arm == kept.baseline else kept.arms[choice.arm]
    return Recommended(
        dict(parameters),
        source,
        uuid7(time_ns(), random_bits(RANDOM_BITS)),
        {
            "belief": kept.id,
            "seed": seed,
            "arm": kept.belief.arms[choice.arm],
            "baseline": kept.belief.arms[choice.baseline],
            "propensity": choice.propensity,
            "baseline_propensity": choice.baseline_propensity,
            "source": source,
        },
    )
