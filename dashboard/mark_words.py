"""What changed, in words and with an address."""

from __future__ import annotations

from django.urls import reverse

from dashboard.optimization_words import STATUSES
from dashboard.words import BREAKER_STATES, Look
from featurememory.observability.marks import Mark

ANNOTATIONS = {
    "deploy": Look("Deploy", "up", "accent"),
    "note": Look("Note", "info", "accent"),
}
_LOOKS = BREAKER_STATES | STATUSES | ANNOTATIONS


def look_of(mark: Mark) -> Look:
    return _LOOKS[mark.kind]


def title_of(mark: Mark) -> str:
    """In one line, as it stands at a chart's head."""
    word = look_of(mark).word
    if mark.kind in ANNOTATIONS:
        return f"{word}: {mark.text}" if not mark.subject else f"{word} of {mark.subject}: {mark.text}"
    if mark.kind in STATUSES:
        return f"{mark.subject}: {mark.text} {word.lower()}"
    return f"{mark.subject}: {word.lower()}"


def why_of(mark: Mark) -> str:
    """Who did it and why, or what led to it."""
    if mark.kind in ANNOTATIONS:
        return f"{mark.text} ({mark.actor})"
    text = mark.text[:1].upper() + mark.text[1:]
    if not mark.actor:
        return text
    told = f"By {mark.actor}: “{mark.reason}”"
    return f"{text}. {told}" if mark.kind in STATUSES else told


def address_of(mark: Mark) -> str:
    if mark.kind in ANNOTATIONS:
        return reverse("annotations")
    if mark.kind in STATUSES:
        return f"{reverse('optimizations')}?study={mark.key}"
    return reverse("breaker-event", args=[mark.key])
