"""Feature spaces as the pattern pages show them: which there are, how far they are, what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from dashboard.first_steps import Way
from dashboard.words import plural
from featurememory.models import FeatureSpace, Pattern
from featurememory.models.pattern import PATTERNS_A_SPACE

TIGHT, LOOSE = 0.4, 0.8
"""Shares of the distance at which an input no longer belongs to a pattern."""


@dataclass(frozen=True, slots=True)
class SpaceFigures:
    """What a calibrated space holds."""

    patterns: int
    provisional: int
    pinned: int
    newest: Pattern | None


def read_spaces() -> list[FeatureSpace]:
    """By name; one query."""
    return list(FeatureSpace.objects.defer("calibration").order_by("name"))


def choose_space(spaces: Sequence[FeatureSpace], name: str) -> FeatureSpace | None:
    """The named one; without a name the one that has taken in most since its calibration."""
    if name:
        return next((space for space in spaces if space.name == name), None)
    return max(spaces, key=lambda space: (space.version > 0, space.seen), default=None)


def read_figures(space: FeatureSpace) -> SpaceFigures:
    """Four queries, each from an index."""
    from featurememory.core.patterns import PROVISIONAL_BELOW

    patterns = Pattern.objects.filter(space=space)
    return SpaceFigures(
        patterns=patterns.count(),
        provisional=patterns.filter(count__lt=PROVISIONAL_BELOW).count(),
        pinned=patterns.filter(pinned=True).count(),
        newest=patterns_of(space).first(),
    )


def patterns_of(space: FeatureSpace) -> QuerySet[Pattern]:
    """All but their centroids, the newest first: by their numbers, which the primary key finds in order."""
    first, last = space.pk * PATTERNS_A_SPACE, (space.pk + 1) * PATTERNS_A_SPACE
    return Pattern.objects.filter(pk__gt=first, pk__lt=last).defer("centroid").order_by("-pk")


def read_tau(space: FeatureSpace) -> float:
    """The cosine from which on two vectors of a calibrated space are the same pattern; one query."""
    tau: float | None = FeatureSpace.objects.values_list("calibration__tau", flat=True).get(pk=space.pk)
    return 1.0 if tau is None else tau


def spread_words(pattern: Pattern, tau: float) -> str:
    """How much its inputs differ, by what still makes them one pattern."""
    if pattern.count < 2:
        return "one input only"
    share = pattern.spread / max(1 - tau, 1e-6)
    return "tight" if share < TIGHT else "loose" if share < LOOSE else "very loose"


def warm_up_words(space: FeatureSpace) -> str:
    """ "37 of 200 vectors"."""
    from featurememory.core.spaces import WARM_UP

    return f"{space.seen:,} of {plural(WARM_UP, 'vector')}"


def ways_to_send(base_url: str) -> tuple[Way, ...]:
    """How to send features, to copy and paste; `base_url` is where the person's browser reached us."""
    return (
        Way("sdk", "With the Python SDK", _SDK.replace("BASE", base_url)),
        Way("curl", "With curl", _CURL.replace("BASE", base_url)),
    )


_SDK = """\
from featurememory import FeatureMemory

memory = FeatureMemory("BASE", api_key="fm_...")
vector = [0.12, -1.7, 3.4]   # what describes the input: an embedding, sizes, counts
with memory.operation("transcription", model="whisper", features=vector, space="speech-3"):
    words = sum(vector)      # your model
memory.flush()"""
_CURL = """\
curl -sS BASE/api/v1/patterns/recognize \\
  -H "Authorization: Bearer $FEATUREMEMORY_API_KEY" -H "Content-Type: application/json" \\
  -d '{"space": "speech-3", "features": [0.12, -1.7, 3.4], "learn": true}'"""
