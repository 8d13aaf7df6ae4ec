"""What learning gains, study by study and over all, told no better than the evidence has it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from dashboard.effects import Bar, Gain, Scale, gain, saved_words
from dashboard.optimization_words import AIMS, VERDICTS
from dashboard.words import Look, plural
from featurememory.models import Arm, Study
from featurememory.optimization.effectiveness import ENOUGH
from featurememory.optimization.figures import EffectFigures, StudyFigures, overall, study_figures

DOES_NOT_HOLD = "propensities do not hold"
SHOWN = 20
"""Studies; those with the most operations."""


@dataclass(frozen=True, slots=True)
class Told:
    """One effect over the baseline. `words` are what may be said of it, `detail` what must be added."""

    look: Look
    words: str
    detail: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class StudyGains:
    """`saved`: the time of an operation, `saved_in_all` of all of them; empty where they cannot be told."""

    study: Study
    aim: str | None
    told: Told
    saved: str
    saved_in_all: str
    patterns: int
    sets: int


@dataclass(frozen=True, slots=True)
class OverallGains:
    aim_words: str
    operations: int
    told: Told


@dataclass(frozen=True, slots=True)
class LearningGains:
    overall: tuple[OverallGains, ...]
    studies: tuple[StudyGains, ...]
    hidden: int
    names: tuple[tuple[int, str], ...]
    """Of all studies, for choosing one."""


def read_learning_gains() -> LearningGains:
    """Three queries."""
    figures = study_figures(with_arms=False)
    sets = dict(Arm.objects.exclude(number=None).order_by().values_list("study").annotate(Count("pk")))
    shown = sorted(figures, key=lambda each: -each.study.operations)[:SHOWN]
    totals = overall(figures)
    scales = {
        aim: Scale.of([_gain(aim, each.effect) for each in shown if each.aim == aim] + [_gain(aim, total)])
        for aim, total in totals.items()
    }
    return LearningGains(
        tuple(
            OverallGains(AIMS[aim], total.operations, _told(aim, total, scales[aim]))
            for aim, total in totals.items()
        ),
        tuple(
            _study(each, sets.get(each.study.pk, 0), scales.get(each.aim or "", Scale.of([])))
            for each in shown
        ),
        len(figures) - len(shown),
        tuple((each.study.pk, str(each.study)) for each in figures),
    )


def _study(figures: StudyFigures, sets: int, scale: Scale) -> StudyGains:
    saved, operations = figures.saved_ms, figures.saved_ms.operations
    is_honest = DOES_NOT_HOLD not in (saved.verdict, figures.effect.verdict)
    is_known = is_honest and saved.lift is not None and saved.sequence is not None
    operation = "An operation" if VERDICTS[saved.verdict].tone != "off" else "So far an operation"
    low, high = saved.sequence or (0.0, 0.0)
    each = saved.lift or 0.0
    return StudyGains(
        figures.study,
        figures.aim,
        _told(figures.aim, figures.effect, scale),
        f"{operation} {saved_words(each, low, high)}" if is_known else "",
        saved_words(each * operations, low * operations, high * operations) if is_known else "",
        figures.patterns,
        sets,
    )


def _gain(aim: str | None, effect: EffectFigures) -> Gain | None:
    low, high = effect.sequence or (None, None)
    return gain(aim, effect.lift, low, high)


def _told(aim: str | None, effect: EffectFigures, scale: Scale) -> Told:
    look, found = VERDICTS[effect.verdict], _gain(aim, effect)
    bar = scale.draw(found) if found else None
    if effect.verdict == DOES_NOT_HOLD:
        mean = f"{effect.check:.2f}" if effect.check is not None else "unknown"
        return Told(
            look,
            "The baseline was used more or less often than its propensities say, so no effect can be told.",
            f"The check stands at {mean} and must stay near 1: do callers use the parameters that they are given?",
            None,
        )
    if found is None:
        return Told(look, "No operation has shown anything yet.", "", None)
    if look.tone != "off":
        return Told(look, found.words, "", bar)
    unsure = bar._replace(tone="off") if bar else None
    return Told(look, f"So far {found.words}", _what_lacks(effect, found), unsure)


def _what_lacks(effect: EffectFigures, found: Gain) -> str:
    if effect.operations < ENOUGH:
        return f"{plural(effect.operations, 'operation')} of the {ENOUGH} that a verdict needs at least"
    if found.low <= 0 <= found.high:
        return "it may as well be none"
    return "too few operations stayed on the baseline to compare with"
