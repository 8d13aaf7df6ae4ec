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
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, repeat
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
        buckets = sorted(self.counts)
        return _quantiles(buckets, map(self.counts.__getitem__, buckets), shares)

    def count_up_to(self, duration_ms: float) -> int:
        """How many recorded durations were at most `duration_ms`, to the accuracy of a bucket."""
        last = bucket_of(duration_ms)
        return sum(count for bucket, count in self.counts.items() if bucket <= last)

    def count_below(self, duration_ms: float) -> int:
        """How many recorded durations were shorter by more than a bucket tells."""
        own = bucket_of(duration_ms)
        return sum(count for bucket, count in self.counts.items() if bucket < own)

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


class HistogramSum:
    """Adds histograms up in their stored form; exact, and the order makes no difference.

    The counts are one large integer, in which each bucket from `first` on has 64 bits: adding two histograms is
    adding two integers, thirty times as fast as going from bucket to bucket.
    """

    __slots__ = ("_first", "_lanes")

    def __init__(self) -> None:
        self._first = 0
        self._lanes = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `Histogram.to_bytes` gave."""
        whole = cls()
        if not data:
            return whole
        size = data[0]
        if size:
            _, whole._first = _DENSE.unpack_from(data)
            lanes = bytearray((len(data) - _DENSE.size) // size * _LANE_BYTES)
            for byte in range(size):
                lanes[byte::_LANE_BYTES] = data[_DENSE.size + byte :: size]
            whole._lanes = int.from_bytes(lanes, "little")
        else:
            counts = Histogram.from_bytes(data).counts
            whole._first = min(counts)
            wide = array("Q", bytes(_LANE_BYTES * (max(counts) + 1 - whole._first)))
            for bucket, count in counts.items():
                wide[bucket - whole._first] = count
            whole._lanes = int.from_bytes(_little_endian(wide), "little")
        return whole

    def add(self, other: HistogramSum) -> None:
        if not self._lanes:
            self._first, self._lanes = other._first, other._lanes
        elif other._first >= self._first:
            self._lanes += other._lanes << _LANE_BITS * (other._first - self._first)
        elif other._lanes:
            self._lanes = other._lanes + (self._lanes << _LANE_BITS * (self._first - other._first))
            self._first = other._first

    def quantiles(self, *shares: float) -> list[float]:
        """As `Histogram.quantiles`."""
        counts = self._counts()
        return _quantiles(range(self._first, self._first + len(counts)), counts, shares)

    def histogram(self) -> Histogram:
        histogram = Histogram()
        histogram.counts = {self._first + lane: count for lane, count in enumerate(self._counts()) if count}
        return histogram

    def to_bytes(self) -> bytes:
        """What `Histogram.to_bytes` gives for the same counts."""
        counts = self._counts()
        size = next(size for size in _CODES if max(counts, default=0) < 256**size)
        used = len(counts) - counts.count(0)
        if not used or not counts[0] or _DENSE.size + size * len(counts) > 1 + 12 * used:
            return self.histogram().to_bytes()
        lanes = _little_endian(counts).tobytes()
        dense = bytearray(size * len(counts))
        for byte in range(size):
            dense[byte::size] = lanes[byte::_LANE_BYTES]
        return _DENSE.pack(size, self._first) + dense

    def _counts(self) -> array[int]:
        """The count of each bucket from `_first` on."""
        lanes = -(-self._lanes.bit_length() // _LANE_BITS)
        return _little_endian(array("Q", self._lanes.to_bytes(lanes * _LANE_BYTES, "little")))


_LANE_BYTES = 8
_LANE_BITS = 8 * _LANE_BYTES


def _quantiles(buckets: Sequence[int], counts: Iterable[int], shares: Iterable[float]) -> list[float]:
    """The middle of the bucket in which each share of all is reached; an empty list when there is nothing."""
    reached = list(accumulate(counts))
    if not reached:
        return []
    ranks = (share * (reached[-1] - 1) for share in shares)
    return [middle(buckets[bisect_right(reached, rank, hi=len(reached) - 1)]) for rank in ranks]


def merged(data: bytes, added: Histogram) -> bytes:
    """The bytes of the histogram in `data` with `added` merged in.

    A dense one with room for `added` is not unpacked: that is the usual case, and twenty times as fast.
    """
    if data and data[0] and added.counts:
        size, first = _DENSE.unpack_from(data)
        counts = _little_endian(array(_CODES[size], data[_DENSE.size :]))
        if min(added.counts) >= first and max(added.counts) < first + len(counts):
            try:
                for bucket, count in added.counts.items():
                    counts[bucket - first] += count
            except OverflowError:
                pass  # more than its numbers hold
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
