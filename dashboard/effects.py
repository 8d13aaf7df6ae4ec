"""What something gains over the baseline: in words, and as an interval drawn on a common scale.

Gains are in units of the reward: -ln of the duration in ms, points of the score, or a weighted mean of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from typing import NamedTuple

from dashboard import words
from dashboard.words import NBSP

WIDTH = 200
"""Of a drawing, in its own units; the baseline stands in the middle."""
_LEAST_LIMIT = 0.02
_ROOM = 1.08


class Gain(NamedTuple):
    """`aim` says of what: `duration`, `score`, `both`."""

    aim: str
    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """ "14 % faster, between 9 and 19 %"."""
        better, worse, unit = _UNITS.get(self.aim, _UNITS["both"])
        side = better if self.value >= 0 else worse
        return f"{_side(self.value, self.aim, unit)} {side}, {self._range(better, worse, unit)}"

    @property
    def tone(self) -> str:
        """The interval's: on which side of the baseline it lies, if on one."""
        return "ok" if self.low > 0 else "bad" if self.high < 0 else "off"

    def _range(self, better: str, worse: str, unit: str) -> str:
        low, high = _side(self.low, self.aim, unit), _side(self.high, self.aim, unit)
        if self.low < 0 < self.high:
            return f"between {low} {worse} and {high} {better}"
        least, most = (self.low, self.high) if self.low >= 0 else (self.high, self.low)
        return f"between {_number(least, self.aim)} and {_side(most, self.aim, unit)}"


def gain(aim: str | None, value: float | None, low: float | None, high: float | None) -> Gain | None:
    """None where nothing is known."""
    if value is None or low is None or high is None:
        return None
    return Gain(aim or "both", value, low, high)


class Bar(NamedTuple):
    """An interval from `x` on and `width` wide, its estimate at `middle`; what lies outside of the scale is cut."""

    x: float
    width: float
    middle: float
    tone: str
    words: str
    is_cut_low: bool
    is_cut_high: bool

    @property
    def estimate_x(self) -> float:
        """Where the stroke for the estimate begins."""
        return round(self.middle - 1, 1)


@dataclass(frozen=True, slots=True)
class Scale:
    """From -limit to limit, the baseline in the middle."""

    limit: float

    @classmethod
    def of(cls, gains: Iterable[Gain | None]) -> Scale:
        """Wide enough for every estimate twice over, and for the intervals as far as they do not dwarf the rest."""
        known = [each for each in gains if each is not None]
        widest = max((max(abs(each.low), abs(each.high)) for each in known), default=0.0)
        farthest = max((abs(each.value) for each in known), default=0.0)
        return cls(max(_LEAST_LIMIT, min(widest * _ROOM, max(farthest * 2.5, widest / 3))))

    def draw(self, each: Gain) -> Bar:
        low, high = self._at(each.low), self._at(each.high)
        return Bar(
            round(low, 1),
            round(max(high - low, 1.0), 1),
            round(self._at(each.value), 1),
            each.tone,
            each.words,
            each.low < -self.limit,
            each.high > self.limit,
        )

    def ends(self, aim: str) -> tuple[str, str]:
        """What the scale's ends mean."""
        better, worse, unit = _UNITS.get(aim, _UNITS["both"])
        return f"{_side(-self.limit, aim, unit)} {worse}", f"{_side(self.limit, aim, unit)} {better}"

    def _at(self, value: float) -> float:
        return WIDTH / 2 * (1 + max(-1.0, min(1.0, value / self.limit)))


def saved_words(each: float, low: float, high: float) -> str:
    """Milliseconds in words: "saves 210 ms, between 150 and 270 ms"."""
    verb = "saves" if each >= 0 else "costs"
    return f"{verb} {words.duration(abs(each))}, {_saved_range(low, high)}"


def _saved_range(low: float, high: float) -> str:
    if low < 0 < high:
        return f"between {words.duration(-low)} lost and {words.duration(high)} saved"
    least, most = sorted((abs(low), abs(high)))
    return f"between {words.duration(least)} and {words.duration(most)}"


_UNITS = {
    "duration": ("faster", "slower", f"{NBSP}%"),
    "score": ("better", "worse", " points"),
    "both": ("better", "worse", ""),
}


def _side(value: float, aim: str, unit: str) -> str:
    return f"{_number(value, aim)}{unit}"


def _number(value: float, aim: str) -> str:
    """How far from the baseline, on whichever side: per cent of its duration, or points."""
    if aim != "duration":
        return f"{abs(value):.2g}" if abs(value) < 10 else f"{abs(value):,.0f}"
    percent = abs(1 - exp(min(-value, 700.0))) * 100
    if percent >= 9.95:
        return f"{percent:,.0f}" if percent < 1e6 else "over 1,000,000"
    return f"{percent:.1f}" if percent >= 0.05 else "0"
