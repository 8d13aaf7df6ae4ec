"""What counts say against a configuration: whether a threshold is reached, and which, in words."""

from __future__ import annotations

from typing import NamedTuple

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Cause
from featurememory.circuit_breaker.probes import ProbeRound
from featurememory.circuit_breaker.window import Totals


class Reached(NamedTuple):
    """A threshold that was reached; `message` has the figures."""

    cause: Cause
    message: str


def reached_when_closed(config: BreakerConfig, totals: Totals, failures_in_a_row: int) -> Reached | None:
    """The threshold that opens a closed breaker."""
    if failures_in_a_row >= config.max_failures > 0:
        figures = f"{failures_in_a_row} failures in a row reached max_failures = {config.max_failures}"
        return Reached("max_failures", figures)
    if totals.calls < config.minimum_calls:
        return None
    threshold = config.failure_rate_threshold
    if 100 * totals.failures >= threshold * totals.calls:
        found = f"{totals.failures} of {totals.calls} calls failed"
        return Reached("failure_rate", f"{found}, which reached failure_rate_threshold = {threshold:g} %")
    threshold = config.slow_call_rate_threshold
    if 100 * totals.slow >= threshold * totals.calls:
        found = f"{totals.slow} of {totals.calls} calls lasted {config.slow_call_duration_ms:g} ms or longer"
        return Reached("slow_call_rate", f"{found}, which reached slow_call_rate_threshold = {threshold:g} %")
    return None


def missed_by_probes(config: BreakerConfig, probes: ProbeRound) -> Reached | None:
    """Why a round of probes is lost; None while it may still be won."""
    permits = config.half_open_permits
    in_a_row = 0 < config.max_failures <= probes.failures_in_a_row
    if in_a_row or 100 * probes.failures >= config.failure_rate_threshold * permits:
        late = f", {probes.expired} of them not heard of in time" if probes.expired else ""
        return Reached("probe_failed", f"{probes.failures} of {permits} probes failed{late}")
    if 100 * probes.slow >= config.slow_call_rate_threshold * permits:
        return Reached("probe_failed", f"{probes.slow} of {permits} probes were slow")
    return None


def round_over(config: BreakerConfig, probes: ProbeRound) -> Reached:
    """Why a round is lost whose time is over."""
    figures = f"{probes.results} of {config.half_open_permits} probes came back"
    return Reached("half_open_expired", f"{figures} within max_half_open_ms = {config.max_half_open_ms:g}")
