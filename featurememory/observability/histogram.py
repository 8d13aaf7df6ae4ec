"""A mergeable latency histogram with base-2 exponential buckets.

Bucket i holds values in (b**i, b**(i+1)] with b = 2**(1/64): OpenTelemetry's exponential histogram at scale 6
and Prometheus' native histogram at schema 6 have the same bounds (OpenTelemetry metrics data model,
"ExponentialHistogram"). A value is reported as its bucket's harmonic middle, which is at most
(b - 1) / (b + 1) = 0.54 % away from it. Merging adds counts and loses nothing.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import compress, repeat
from math import ceil, log2
from typing import Self

SCHEMA = 6
BUCKETS_PER_DOUBLING: int = 2**SCHEMA
RELATIVE_ERROR = (2 ** (1 / BUCKETS_PER_DOUBLING) - 1) / (2 ** (1 / BUCKETS_PER_DOUBLING) + 1)
SMALLEST_MS = 0.001
"""Shorter durations, zero too, are recorded as this one: a microsecond."""

_DENSE = struct.Struct("<Bi")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def bucket_of(duration_ms: float) -> int:
    """The index of the bucket that holds `duration_ms`."""
    return ceil(log2(duration_ms if duration_ms > SMALLEST_MS else SMALLEST_MS) * BUCKETS_PER_DOUBLING) - 1


def upper_bound(bucket: int) -> float:
    """The largest duration in milliseconds that `bucket` holds."""
    return float(2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING))


def middle(bucket: int) -> float:
    """The duration in milliseconds that stands for all in `bucket`."""
    low, high = 2 ** (bucket / BUCKETS_PER_DOUBLING), 2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING)
    return float(2 * low * high / (low + high))


class Histogram:
    """Counts of durations in milliseconds, by exponential bucket; only buckets in use take room."""

    __slots__ = ("counts",)

    def __init__(self, durations_ms: Iterable[float] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.record_all(durations_ms)

    def record(self, duration_ms: float, times: int = 1) -> None:
        bucket = bucket_of(duration_ms)
        self.counts[bucket] = self.counts.get(bucket, 0) + times

    def record_all(self, durations_ms: Iterable[float]) -> None:
        counts = self.counts
        for bucket, times in Counter(map(bucket_of, durations_ms)).items():
            counts[bucket] = counts.get(bucket, 0) + times

    def merge(self, other: Histogram) -> None:
        """Adds what `other` holds; exact, and the order of merging makes no difference."""
        counts = self.counts
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def quantile(self, q: float) -> float | None:
        """The duration in milliseconds below which a share `q` in [0, 1] lies; None when nothing was recorded."""
        quantiles = self.quantiles(q)
        return quantiles[0] if quantiles else None

    def quantiles(self, *shares: float) -> list[float]:
        """`quantile` of each share, in one walk when they rise; an empty list when nothing was recorded."""
        found: list[float] = []
        if not self.counts:
            return found
        ordered = sorted(self.counts.items())
        total = self.count
        for share in shares:
            rank, seen = share * (total - 1), 0
            for bucket, count in ordered:
                seen += count
                if seen > rank:
                    found.append(middle(bucket))
                    break
        return found

    def count_up_to(self, duration_ms: float) -> int:
        """How many recorded durations were at most `duration_ms`, to the accuracy of a bucket."""
        last = bucket_of(duration_ms)
        return sum(count for bucket, count in self.counts.items() if bucket <= last)

    def __iter__(self) -> Iterator[tuple[float, int]]:
        """(upper bound in milliseconds, count) of each bucket in use, rising."""
        return ((upper_bound(bucket), count) for bucket, count in sorted(self.counts.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        """Dense where that is shorter, else sparse; little endian.

        Dense: a count's size in bytes (1, 2, 4, 8), the first bucket (int32), a count for each bucket from there
        on. Sparse: a zero byte, the used buckets (int32, rising), their counts (uint64).
        """
        if not self.counts:
            return b""
        first, last = min(self.counts), max(self.counts)
        size = next(size for size in _CODES if max(self.counts.values()) < 256**size)
        if _DENSE.size + size * (last + 1 - first) <= 1 + 12 * len(self.counts):
            dense = array(_CODES[size], map(self.counts.get, range(first, last + 1), repeat(0)))
            return _DENSE.pack(size, first) + _little_endian(dense).tobytes()
        buckets = sorted(self.counts)
        used = len(buckets)
        return struct.pack(f"<B{used}i{used}Q", 0, *buckets, *map(self.counts.__getitem__, buckets))

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """The inverse of `to_bytes`; ValueError when `data` cannot come from it."""
        histogram = cls.__new__(cls)
        histogram.counts = {}
        if not data:
            return histogram
        data = memoryview(data)
        size = data[0]
        if size == 0:
            used, rest = divmod(len(data) - 1, 12)
            if rest:
                raise ValueError(f"a sparse histogram takes 12 bytes a bucket, not {len(data) - 1} bytes")
            numbers = struct.unpack_from(f"<{used}i{used}Q", data, 1)
            histogram.counts = dict(zip(numbers[:used], numbers[used:], strict=True))
        elif size in _CODES and len(data) > _DENSE.size and (len(data) - _DENSE.size) % size == 0:
            _, first = _DENSE.unpack_from(data)
            dense = array(_CODES[size], bytes(data[_DENSE.size :]))
            counts = _little_endian(dense)
            buckets = compress(range(first, first + len(counts)), counts)
            histogram.counts = dict(zip(buckets, filter(None, counts), strict=True))
        else:
            raise ValueError(f"not a histogram: {bytes(data[:8]).hex(' ')}...")
        return histogram


def merged(data: bytes, added: Histogram) -> bytes:
    """The bytes of the histogram in `data` with `added` merged in.

    A dense one with room for `added` is not unpacked: that is the usual case, and twenty times as fast.
    """
    if data and data[0]:
        size, first = _DENSE.unpack_from(data)
        counts = _little_endian(array(_CODES[size], data[_DENSE.size :]))
        try:
            for bucket, count in added.counts.items():
                if bucket < first:
                    raise IndexError
                counts[bucket - first] += count
        except (IndexError, OverflowError):
            pass  # beyond the array's ends, or more than its numbers hold
        else:
            return data[: _DENSE.size] + _little_endian(counts).tobytes()
    histogram = Histogram.from_bytes(data)
    histogram.merge(added)
    return histogram.to_bytes()


def _little_endian(counts: array[int]) -> array[int]:
    """The array in the byte order that is stored; turns it in place where the machine's is the other."""
    if sys.byteorder == "big":
        counts.byteswap()
    return counts
