"""Which alerts mute which: a breaker that has opened is the answer to the failures that opened it, and a component
that is ill explains its own latencies. Plain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from featurememory.alerts.labels import Labels


class Muting(NamedTuple):
    """An alert about one of `by` mutes those about `muted` whose labels `equal` are the same."""

    by: frozenset[str]
    muted: frozenset[str]
    equal: tuple[str, ...]


MUTINGS: Final = (
    Muting(
        frozenset({"breaker_open", "breaker_opened"}),
        frozenset({"error_rate", "rejected_rate"}),
        ("operation_type", "model"),
    ),
    Muting(
        frozenset({"component_status", "component_worse"}),
        frozenset({"commit_time", "recognition_time"}),
        ("component",),
    ),
)
"""By signals. What mutes is itself never muted: that cannot go in a circle."""


class Sounding(NamedTuple):
    """An alert that is open: the signal of its rule, how bad it is (0 to 2), and its labels."""

    id: int
    signal: str
    """Empty for what another system told."""
    badness: int
    labels: Labels


def muted_by(alerts: Iterable[Sounding]) -> Mapping[int, int]:
    """Of those that are muted, the alert that does it; the one that was there first where there are several."""
    known = sorted(alerts, key=lambda each: each.id)
    found = dict(_outdone(known))
    for muting in MUTINGS:
        loud = [each for each in known if each.signal in muting.by and each.id not in found]
        reasons = {_told(each.labels, muting.equal): each.id for each in reversed(loud)}
        for each in known:
            told = _told(each.labels, muting.equal)
            if each.signal in muting.muted and any(told) and told in reasons:
                found.setdefault(each.id, reasons[told])
    return found


def _outdone(known: Sequence[Sounding]) -> Iterator[tuple[int, int]]:
    """What is said of the same signal and labels by a worse alert need not be said twice."""
    worst: dict[tuple[str, frozenset[tuple[str, str]]], Sounding] = {}
    ours = [each for each in known if each.signal]
    for each in ours:
        place = (each.signal, frozenset(each.labels.items()))
        if place not in worst or worst[place].badness < each.badness:
            worst[place] = each
    for each in ours:
        above = worst[each.signal, frozenset(each.labels.items())]
        if above.badness > each.badness:
            yield each.id, above.id


def _told(labels: Labels, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in names)
