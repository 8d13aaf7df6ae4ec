"""Figures and states in the words that pages use."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "–"
NBSP = "\u00a0"


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: a word, an icon of the sprite, and a tone that the style sheet colours."""

    word: str
    icon: str
    tone: str
    meaning: str = ""


BREAKER_STATES = {
    "closed": Look("Closed", "check", "ok", "lets calls through"),
    "open": Look("Open", "stop", "bad", "refuses calls"),
    "half_open": Look("Probing", "half", "warn", "lets a few calls through to see whether they succeed"),
    "forced_open": Look("Forced open", "hand", "bad", "refuses calls until an operator releases it"),
    "disabled": Look("Disabled", "pause", "off", "lets every call through and judges none"),
    "metrics_only": Look(
        "Only measuring", "eye", "off", "lets every call through and shows what it would have done"
    ),
}
CAUSES = {
    "max_failures": "Failures in a row",
    "failure_rate": "Failure rate",
    "slow_call_rate": "Slow-call rate",
    "tripped": "A process’s own breaker opened",
    "reset_timeout": "Its waiting time was over",
    "probes_succeeded": "Probes succeeded",
    "probe_failed": "Probes failed",
    "probe_expired": "Probes were not heard of",
    "half_open_expired": "The probes took too long",
    "forced_open": "Forced open by an operator",
    "disabled": "Disabled by an operator",
    "metrics_only": "Set to only measure by an operator",
    "overlay_ended": "The operator’s time was over",
    "released": "Released by an operator",
    "reset": "Reset by an operator",
    "fleet": "It followed the fleet",
}
PATTERN_MARKS = {
    "pinned": Look("Pinned", "pin", "ok", "never makes room for others"),
    "provisional": Look("Provisional", "half", "off", "seen too seldom to be more than a guess"),
}
OUTCOMES = {
    "success": Look("Success", "check", "ok"),
    "error": Look("Error", "stop", "bad"),
    "timeout": Look("Time-out", "clock", "bad"),
    "cancelled": Look("Cancelled", "pause", "off"),
    "rejected": Look("Rejected", "hand", "off"),
}
HEALTH = {
    "healthy": Look("Healthy", "check", "ok"),
    "degraded": Look("Degraded", "warning", "warn"),
    "unhealthy": Look("Unhealthy", "stop", "bad"),
    "unknown": Look("Unknown", "unknown", "off"),
}

CLEANUP_STATES = {
    "running": Look("Running", "half", "warn"),
    "done": Look("Done", "check", "ok"),
    "failed": Look("Failed", "stop", "bad"),
}


JOB_RESULTS = {
    "succeeded": Look("Succeeded", "check", "ok"),
    "failed": Look("Failed", "stop", "bad"),
    "running": Look("Running", "pulse", "ok"),
    "overdue": Look("Overdue", "warning", "warn"),
    "waiting": Look("Waits for the worker", "clock", "off"),
    "unsent": Look("Not sent", "warning", "warn"),
    "skipped": Look("Skipped", "pause", "off"),
    "never": Look("Never ran yet", "unknown", "off"),
}


def duration(milliseconds: float | None) -> str:
    """Three significant figures at most, with the unit that fits."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 0.9995:
        return f"{milliseconds * 1000:.0f}{NBSP}µs"
    if milliseconds < 999.5:
        return f"{_three(milliseconds)}{NBSP}ms"
    seconds = milliseconds / 1000
    if seconds < 119.5:
        return f"{_three(seconds)}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes}{NBSP}min {rest}{NBSP}s" if rest else f"{minutes}{NBSP}min"
    hours, rest = divmod(minutes, 60)
    return f"{hours}{NBSP}h {rest}{NBSP}min" if rest else f"{hours}{NBSP}h"


def _three(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def count(number: float | None) -> str:
    """Whole numbers with thousands separated; millions and more in short."""
    if number is None:
        return NOTHING
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= limit:
            return f"{number / limit:.3g}{NBSP}{unit}"
    return f"{number:,.0f}"


def spaced(name: str) -> str:
    """A name of ours as words: "health_snapshots"."""
    return name.replace("_", " ")


def size(octets: float | None) -> str:
    """Bytes with the unit that fits."""
    if octets is None:
        return NOTHING
    for limit, unit in ((2**30, "GB"), (2**20, "MB"), (2**10, "kB")):
        if octets >= limit:
            return f"{_three(octets / limit)}{NBSP}{unit}"
    return f"{octets:,.0f}{NBSP}B"


def share(value: float | None) -> str:
    """A share in [0, 1] as per cent; something is never shown as nothing, nor nearly all as all."""
    if value is None:
        return NOTHING
    percent = value * 100
    if percent == 0:
        return f"0{NBSP}%"
    if percent < 0.01:
        return f"<{NBSP}0.01{NBSP}%"
    if 99.9 <= percent < 100:
        return f">{NBSP}99.9{NBSP}%"
    return f"{percent:.2f}{NBSP}%" if percent < 1 else f"{percent:.3g}{NBSP}%"


def rate(calls: int, seconds: float) -> str:
    """Calls by the second, or by the minute when they are rare."""
    each_second = calls / seconds
    if calls and each_second < 1:
        return f"{_three(each_second * 60)}/min"
    return f"{_three(each_second)}/s" if each_second < 1000 else f"{each_second:,.0f}/s"


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 breaker", "2 breakers"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def pattern_name(number: int, label: str) -> str:
    """In the middle of a sentence: "pattern 17", or its label in quotes."""
    return f"“{label}”" if label else f"pattern {number}"


def listed(names: list[str], most: int = 3) -> str:
    """ "a", "a and b", "a, b, c and 4 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
