"""What a guarded call costs above the bare one, beside the breakers others use, in one run.

Each figure is the best of many short runs, which is the least disturbed by what else the machine does.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from math import inf

import circuitbreaker
import pybreaker
from purgatory import SyncCircuitBreakerFactory

from featurememory import FeatureMemory, OperationContext
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.sdk.breakers import Breakers, LocalBreaker
from featurememory.sdk.pressure import HostPressure
from tests.benchmarks import Row
from tests.sdk.peer import running_peer

RUNS, CALLS = 300, 90
BUSY = {"health_thresholds": {"cpu": None}}
"""This machine is as busy as it can be, and that shall refuse nothing."""
LIMITS = {
    "breaker alone, all calls well": 500,
    "breaker alone, a failure in the window": 500,
    "handle_operation": 5_000,
    "guard": 5_000,
}


Call = Callable[[Callable[[], object]], object]


def run() -> list[Row]:
    with running_peer() as peer, FeatureMemory(peer.url, follow_breakers=False, breaker=BUSY) as memory:
        context = OperationContext("text_to_audio", model="audioldm", parameters={"steps": 50})
        guarded = memory.guard("text_to_audio", model="audioldm")(work)
        blemished = alone("blemished", max_failures=0, failure_rate_threshold=100)
        costs = _measure(
            {
                "bare": lambda function: function(),
                "breaker alone, all calls well": alone("well").call,
                "breaker alone, a failure in the window": blemished.call,
                "breaker alone, open, refusing": refused(opened().call),
                "breaker alone, tripped, probed and closed": cycle(probing().call),
                "handle_operation": lambda function: memory.handle_operation(function, context),
                "guard": lambda _: guarded(),
                "pybreaker": pybreaker.CircuitBreaker().call,
                "pybreaker, open, refusing": refused(tripped(with_pybreaker(60))),
                "pybreaker, tripped, probed and closed": cycle(with_pybreaker(0)),
                "circuitbreaker": circuitbreaker.CircuitBreaker(name="peer").call,
                "circuitbreaker, open, refusing": refused(tripped(with_circuitbreaker(60))),
                "circuitbreaker, tripped, probed and closed": cycle(with_circuitbreaker(0)),
                "purgatory": with_purgatory(60),
                "purgatory, open, refusing": refused(tripped(with_purgatory(60))),
                "purgatory, tripped, probed and closed": cycle(with_purgatory(0)),
            },
            before_each=lambda: _fail(blemished),
        )
    bare = costs.pop("bare")
    return [_row(name, cost - bare) for name, cost in costs.items()]


def _measure(calls: dict[str, Call], before_each: Callable[[], None]) -> dict[str, float]:
    """Nanoseconds a call, all in turns, so that what disturbs one disturbs the others."""
    best = dict.fromkeys(calls, inf)
    for _ in range(RUNS):
        for name, call in calls.items():
            before_each()
            seconds = timeit.timeit(partial(call, work), number=CALLS)
            best[name] = min(best[name], seconds / CALLS * 1e9)
    return best


def work() -> int:
    return 42


def alone(name: str, **settings: float) -> LocalBreaker:
    """A breaker as the SDK keeps it, which looks at its host once a second."""
    return Breakers(BreakerConfig.from_mapping(BUSY | settings), 10, pressure=HostPressure())[name]


def opened() -> LocalBreaker:
    breaker = alone("open", max_failures=1, reset_timeout_ms=60_000)
    _fail(breaker)
    return breaker


def probing() -> LocalBreaker:
    """A breaker for which each look at the clock is a second later."""
    seconds = count(step=1.0)
    config = BreakerConfig(max_failures=1, half_open_permits=1, jitter=0)
    return Breakers(config, 10, clock=lambda: next(seconds), pressure=HostPressure())["probing"]


def refused(call: Call) -> Call:
    def refuse(function: Callable[[], object]) -> None:
        with suppress(Exception):
            call(function)

    return refuse


def cycle(call: Call) -> Call:
    """One failure that opens it, and one probe that closes it."""

    def once(function: Callable[[], object]) -> object:
        with suppress(Exception):
            call(broken)
        return call(function)

    return once


def tripped(call: Call) -> Call:
    with suppress(Exception):
        call(broken)
    return call


def broken() -> None:
    raise ZeroDivisionError


def _fail(breaker: LocalBreaker) -> None:
    with suppress(ZeroDivisionError):
        breaker.call(broken)


def with_pybreaker(timeout_s: float) -> Call:
    call: Call = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=timeout_s).call
    return call


def with_circuitbreaker(timeout_s: float) -> Call:
    breaker = circuitbreaker.CircuitBreaker(
        failure_threshold=1, recovery_timeout=timeout_s, name=f"peer {timeout_s}"
    )
    call: Call = breaker.call
    return call


def with_purgatory(timeout_s: float) -> Call:
    breaker = SyncCircuitBreakerFactory(default_threshold=1, default_ttl=timeout_s).get_breaker("peer")

    def call(function: Callable[[], object]) -> object:
        with breaker:
            return function()

    return call


def _row(name: str, cost: float) -> Row:
    limit = LIMITS.get(name)
    target = "-" if limit is None else f"< {limit:,.0f}"
    return Row(
        f"guarded call, {name}", "-", target, f"{cost:,.0f}", "ns", None if limit is None else cost < limit
    )
