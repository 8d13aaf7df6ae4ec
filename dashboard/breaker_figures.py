"""What a breaker has counted against what it goes by, in words."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.words import NOTHING, duration, plural, share
from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import BreakerStatus


@dataclass(frozen=True, slots=True)
class Figure:
    """`nearness` is its share of what opens the breaker, at most 1; None where nothing is judged."""

    title: str
    value: str
    detail: str
    nearness: float | None = None


def figures(status: BreakerStatus, config: BreakerConfig) -> tuple[Figure, ...]:
    """Every figure that a breaker judges by, whatever it amounts to."""
    return (
        _in_a_row_figure(status, config),
        _rate_figure(
            "Failure rate",
            status,
            config,
            (status.failure_rate, status.failures, config.failure_rate_threshold),
            "failed",
        ),
        _rate_figure(
            "Slow-call rate",
            status,
            config,
            (status.slow_call_rate, status.slow_calls, config.slow_call_rate_threshold),
            f"lasted {duration(config.slow_call_duration_ms)} or longer",
        ),
        _probes_figure(status, config),
    )


def in_a_row(status: BreakerStatus, config: BreakerConfig) -> str:
    """ "3 of 5 failures in a row"; empty where the last call did not fail."""
    if status.consecutive_failures == 0:
        return ""
    if config.max_failures == 0:
        return f"{plural(status.consecutive_failures, 'failure')} in a row"
    return f"{status.consecutive_failures} of {plural(config.max_failures, 'failure')} in a row"


def failed(status: BreakerStatus, config: BreakerConfig) -> str:
    """How many of the calls that it judges by failed."""
    if status.computed_state == "half_open":
        return (
            f"{status.failures} of {plural(status.calls, 'probe')} failed"
            if status.calls
            else "no probe is back"
        )
    if not status.calls:
        return "no call in the window"
    if status.calls == 1:
        return f"the one call in the window {'failed' if status.failures else 'did not fail'}"
    if not status.failures:
        return f"none of the {_calls_in_the_window(status, config)} failed"
    figures = f"{status.failures} of the {_calls_in_the_window(status, config)} failed"
    return figures if status.failure_rate is None else f"{figures} ({share(status.failure_rate / 100)})"


def _calls_in_the_window(status: BreakerStatus, config: BreakerConfig) -> str:
    if config.window_type == "count":
        return f"last {plural(status.calls, 'call')}"
    return f"{plural(status.calls, 'call')} of the last {duration(config.window_size * 1_000)}"


def _in_a_row_figure(status: BreakerStatus, config: BreakerConfig) -> Figure:
    title, number = "Failures in a row", status.consecutive_failures
    if config.max_failures == 0:
        return Figure(title, f"{number}", "no number of them opens it")
    detail = f"{plural(config.max_failures, 'failure')} in a row {'opens' if config.max_failures == 1 else 'open'} it"
    return Figure(title, f"{number} of {config.max_failures}", detail, min(number / config.max_failures, 1))


def _rate_figure(
    title: str,
    status: BreakerStatus,
    config: BreakerConfig,
    found: tuple[float | None, int, float],
    what: str,
) -> Figure:
    rate, number, threshold = found
    probing = status.computed_state == "half_open"
    calls = "probe" if probing else "call"
    seen = f"{number} of {plural(status.calls, calls)} {what}" if status.calls else f"no {calls} is known"
    if rate is None:
        wanted = config.half_open_permits if probing else config.minimum_calls
        return Figure(title, NOTHING, f"not judged yet: {seen}; it takes {plural(wanted, calls)}")
    return Figure(title, share(rate / 100), f"{seen}; {threshold:g} % opens it", min(rate / threshold, 1))


def _probes_figure(status: BreakerStatus, config: BreakerConfig) -> Figure:
    permits = plural(config.half_open_permits, "probe")
    decide = "decides" if config.half_open_permits == 1 else "decide"
    if status.computed_state != "half_open":
        return Figure("Probes", "none", f"{permits} {decide} once it may probe")
    back = f"{status.calls} back, {status.failures} of them failed" if status.calls else "none is back"
    return Figure(
        "Probes", f"{status.permits_in_use} of {config.half_open_permits} out", f"{back}; {permits} {decide}"
    )
