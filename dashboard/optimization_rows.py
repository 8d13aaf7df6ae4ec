"""Optimizations as the list shows them, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from json import dumps
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from dashboard.comparisons import BASELINE, Comparisons, read_aims, read_comparisons
from dashboard.effects import Bar, Gain, Scale, gain
from dashboard.file_columns import AT_ONCE, MOST_ROWS, Columns
from dashboard.optimization_words import BASELINE as BASELINE_LOOK
from dashboard.optimization_words import STATUSES
from dashboard.parameter_sets import ParameterSet, compared
from dashboard.traffic_shares import TrafficShares, read_traffic_shares
from dashboard.words import NBSP, Look
from featurememory.models import Arm, Optimization

A_PAGE = 30
_HIGHEST = 2**62


@dataclass(frozen=True, slots=True)
class Filter:
    """What the reader wants to see; it stands in the address. `before`: the page that follows this id."""

    status: str = ""
    study: int | None = None
    pattern: int | None = None
    text: str = ""
    before: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """`?status=promoted&study=3&pattern=1000000001&text=steps=20`; what makes no sense is left out."""
        status = given.get("status", "")
        return cls(
            status if status in STATUSES else "",
            whole(given.get("study", "")),
            whole(given.get("pattern", "")),
            given.get("text", "").replace("\0", "").strip()[:200],
            whole(given.get("before", "")),
        )

    @property
    def query(self) -> str:
        given = {
            "status": self.status,
            "study": self.study,
            "pattern": self.pattern,
            "text": self.text,
            "before": self.before,
        }
        return urlencode({key: value for key, value in given.items() if value not in ("", None)})

    @property
    def is_set(self) -> bool:
        return replace(self, before=None) != Filter()

    @property
    def others(self) -> dict[str, str]:
        """By status, "" for all: what a link to the same list with that status needs."""
        return {each: replace(self, status=each, before=None).query for each in ("", *STATUSES)}

    def from_id(self, before: int | None) -> str:
        """What a link to another page of the list needs."""
        return replace(self, before=before).query

    def choose(self) -> QuerySet[Optimization]:
        """Those that fit it, the newest first; not the baselines, with which they are compared."""
        named = {
            "status": self.status or None,
            "study": self.study,
            "pattern": self.pattern,
            "pk__lt": self.before,
        }
        rows = Optimization.objects.filter(
            **{name: value for name, value in named.items() if value is not None}
        )
        rows = rows.exclude(arm__number=BASELINE).order_by("-pk")
        return rows.filter(arm__in=_arms_with(self.text).values("pk")) if self.text else rows


@dataclass(frozen=True, slots=True)
class OptimizationRow:
    """One optimization at one moment. `share`: of its pattern's recommendations lately."""

    optimization: Optimization
    look: Look
    parameters: ParameterSet
    gain: Gain | None
    bar: Bar | None
    share: float | None


@dataclass(frozen=True, slots=True)
class ExportedOptimization:
    optimization: Optimization
    aim: str | None

    @property
    def gain(self) -> str:
        found = gain_of(self.optimization, self.aim)
        return found.words.replace(NBSP, " ") if found else ""


EXPORTED: Columns[ExportedOptimization] = {
    "id": lambda row: row.optimization.pk,
    "operation_type": lambda row: row.optimization.study.operation_type,
    "model": lambda row: row.optimization.study.model,
    "pattern": lambda row: row.optimization.pattern,
    "parameters": lambda row: row.optimization.arm.parameters,
    "status": lambda row: row.optimization.status,
    "trials": lambda row: row.optimization.trials,
    "aim": lambda row: row.aim,
    "effect_in_reward": lambda row: row.optimization.effect,
    "effect_low_in_reward": lambda row: row.optimization.effect_low,
    "effect_high_in_reward": lambda row: row.optimization.effect_high,
    "gain": lambda row: row.gain,
    "is_effective": lambda row: row.optimization.is_effective,
    "created_at": lambda row: row.optimization.created_at,
    "changed_at": lambda row: row.optimization.changed_at,
    "tried_at": lambda row: row.optimization.tried_at,
}


@dataclass(frozen=True, slots=True)
class OptimizationList:
    rows: Sequence[OptimizationRow]
    older: str
    """What a link to where the list goes on needs; empty at its end."""


def list_optimizations(chosen: Filter, now: datetime) -> OptimizationList:
    """A page of them; five queries. The first finds their ids alone: sorting whole rows takes ten times as long."""
    found = list(chosen.choose().values_list("pk", flat=True)[: A_PAGE + 1])
    rows = Optimization.objects.select_related("study", "arm").defer("study__state", "study__estimate")
    page = list(rows.filter(pk__in=found[:A_PAGE]).order_by("-pk"))
    studies = {each.study_id for each in page}
    shares = read_traffic_shares(studies, {each.pattern for each in page}, now)
    return OptimizationList(
        show(page, read_comparisons(studies), shares),
        chosen.from_id(found[A_PAGE - 1]) if len(found) > A_PAGE else "",
    )


def exported(chosen: Filter) -> Iterator[ExportedOptimization]:
    """The newest that the filter finds; two queries."""
    found = replace(chosen, before=None).choose().values("pk")[:MOST_ROWS]
    aims = read_aims()
    rows = Optimization.objects.select_related("study", "arm").defer("study__state", "study__estimate")
    for each in rows.filter(pk__in=found).order_by("-pk").iterator(AT_ONCE):
        yield ExportedOptimization(each, aims.get(each.study_id))


def list_best(pattern: int, count: int, now: datetime) -> list[OptimizationRow]:
    """What gains most in a pattern, the best first, of every study; four queries."""
    rows = Optimization.objects.select_related("study", "arm").defer("study__state", "study__estimate")
    rows = rows.filter(pattern=pattern, effect__isnull=False).exclude(arm__number=BASELINE)
    page = list(rows.order_by("-effect", "pk")[:count])
    studies = {each.study_id for each in page}
    return show(page, read_comparisons(studies), read_traffic_shares(studies, {pattern}, now))


def show(
    optimizations: Iterable[Optimization], like: Comparisons, shares: TrafficShares
) -> list[OptimizationRow]:
    """With their intervals on one scale for each kind of objective."""
    rows = list(optimizations)
    gains = {each.pk: gain_of(each, like.aims.get(each.study_id)) for each in rows}
    scales = {
        aim: Scale.of(each for each in gains.values() if each is not None and each.aim == aim)
        for aim in {each.aim for each in gains.values() if each is not None}
    }
    return [_row(each, gains[each.pk], scales, like, shares) for each in rows]


def look_of(optimization: Optimization) -> Look:
    return BASELINE_LOOK if optimization.arm.number == BASELINE else STATUSES[optimization.status]


def gain_of(optimization: Optimization, aim: str | None) -> Gain | None:
    return gain(aim, optimization.effect, optimization.effect_low, optimization.effect_high)


def whole(text: str) -> int | None:
    """A number from an address; None where it makes no sense."""
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _HIGHEST else None
    )


def _row(
    optimization: Optimization,
    gained: Gain | None,
    scales: Mapping[str, Scale],
    like: Comparisons,
    shares: TrafficShares,
) -> OptimizationRow:
    return OptimizationRow(
        optimization,
        look_of(optimization),
        compared(optimization.arm.parameters, like.parameters(optimization.study_id)),
        gained,
        scales[gained.aim].draw(gained) if gained else None,
        shares.share(optimization.study_id, optimization.pattern, optimization.arm_id),
    )


def _arms_with(text: str) -> QuerySet[Any]:
    """Whose parameters hold each of the words; "steps=20" as pages write it, or as JSON has it."""
    arms = Arm.objects.annotate(as_text=Cast("parameters", TextField()))
    for word in text.replace(",", " ").split():
        name, is_pair, value = word.partition("=")
        ways = [f'"{name}": {value}', f'"{name}": "{value}'] if is_pair else [word]
        forms = {form for way in ways for form in (way, dumps(way)[1:-1].replace('\\"', '"'))}
        arms = arms.filter(Q(*(("as_text__icontains", form) for form in sorted(forms)), _connector=Q.OR))
    return arms.order_by()
