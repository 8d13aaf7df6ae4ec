"""Small drawings without axes, as points of an SVG: what a figure did, beside the figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 36
_EDGE = 2
"""What a line's own width needs above and below."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`lines` are the unbroken stretches, each the `points` attribute of a polyline; `bars` are (x, y, width,
    height)."""

    lines: tuple[str, ...] = ()
    dots: tuple[tuple[float, float], ...] = ()
    bars: tuple[tuple[float, float, float, float], ...] = ()


def line_through(values: Sequence[float | None], highest: float) -> Sparkline:
    """A line from 0 to `highest`, with a gap where there is no value; a value alone between gaps is a dot."""
    stretches = list(_stretches(values, highest))
    return Sparkline(
        lines=tuple(" ".join(f"{x},{y}" for x, y in each) for each in stretches if len(each) > 1),
        dots=tuple(each[0] for each in stretches if len(each) == 1),
    )


def bars_of(values: Sequence[float | None], highest: float) -> Sparkline:
    """A bar for each value that is not zero; the smallest can still be seen."""
    step = WIDTH / max(len(values), 1)
    bars = []
    for place, value in enumerate(values):
        if value:
            height = max(1.5, round(value / highest * HEIGHT, 1)) if highest else 1.5
            bars.append((round(place * step, 1), round(HEIGHT - height, 1), round(step * 0.8, 1), height))
    return Sparkline(bars=tuple(bars))


def _stretches(values: Sequence[float | None], highest: float) -> Iterator[list[tuple[float, float]]]:
    step = WIDTH / max(len(values) - 1, 1)
    stretch: list[tuple[float, float]] = []
    for place, value in enumerate(values):
        if value is not None:
            share = value / highest if highest else 0.0
            height = HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE)
            stretch.append((round(place * step, 1), round(height, 1)))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch
