"""The samples of minutes and hours, each read once by a process: those that are over never change."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from math import nan
from typing import Final, NamedTuple

from django.utils import timezone

from featurememory.models import ResourceSample
from featurememory.observability.span import Span
from featurememory.resource_management.constraints import ResourceUsage

FIGURES: Final = (
    *ResourceUsage._fields,
    "cpu_percent",
    "host_cpu_percent",
    "load",
    "on_disk_mb",
    "ingestion_queue",
    "waiting_tasks",
    "sdk_dropped",
    "commit_ms_p99",
    "recognition_ms_p99",
)
"""All that a sample may tell."""
_BLOCK: Final = 60
"""Samples that are read and remembered together."""
_STILL_WRITTEN_FOR: Final = timedelta(minutes=5)
"""After this a minute or an hour that is over has been written."""


class Sample(NamedTuple):
    """What was used in one minute or hour."""

    at: float
    """When it begins; seconds since the Unix epoch."""
    moments: int
    """How many of them it sums up."""
    means: array[float]
    """In the order of FIGURES; NaN for what nobody told."""


class Samples:
    """What a process knows of samples: of 60 together, at most `most` times; a sample takes some 300 bytes."""

    def __init__(self, most: int = 300) -> None:
        self._most = most
        self._known: dict[tuple[int, int], list[Sample]] = {}

    def within(self, span: Span, resolution: int) -> list[Sample]:
        """Those that begin in the span, oldest first; one query, for what is not known or not over yet."""
        start, end = span.start.timestamp(), span.end.timestamp()
        length = _BLOCK * resolution
        wanted = [(resolution, number) for number in range(int(start // length), -int(-end // length))]
        known = self._known
        if strangers := [block for block in wanted if block not in known]:
            read = _read(resolution, strangers[0][1] * length, (strangers[-1][1] + 1) * length)
            known = known | {block: read.get(block[1], []) for block in strangers}
            over = (timezone.now() - _STILL_WRITTEN_FOR).timestamp()
            settled = [(block, samples) for block, samples in known.items() if _end_of(*block) <= over]
            self._known = dict(settled[-self._most :])
        return [sample for block in wanted for sample in known[block] if start <= sample.at < end]

    def forget(self) -> None:
        self._known = {}


def _end_of(resolution: int, number: int) -> int:
    return (number + 1) * _BLOCK * resolution


def _read(resolution: int, start: int, end: int) -> dict[int, list[Sample]]:
    rows = ResourceSample.objects.filter(
        resolution=resolution,
        at__gte=datetime.fromtimestamp(start, UTC),
        at__lt=datetime.fromtimestamp(end, UTC),
    )
    blocks: dict[int, list[Sample]] = {}
    for at, moments, figures in rows.order_by("at").values_list("at", "samples", "figures").iterator():
        means = array("d", (figures[name][0] if name in figures else nan for name in FIGURES))
        sample = Sample(at.timestamp(), moments, means)
        blocks.setdefault(int(sample.at) // (_BLOCK * resolution), []).append(sample)
    return blocks


SAMPLES: Final = Samples()
