"""Memory packs: what one installation has learned, in a file for another.

A pack is a gzipped text of JSON objects, one a line: a header, then spaces, their patterns, and studies with what they
know of each pattern. Patterns go by keys of the pack's own.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from featurememory.audit import was_done
from featurememory.core.arrivals import Arrival, Landed, take_in
from featurememory.core.projection import Plane
from featurememory.core.spaces import vector_from_bytes
from featurememory.core.storage import read_plane
from featurememory.errors import FeatureMemoryError, ValidationError
from featurememory.models import Arm, AuditEntry, FeatureSpace, Pattern, PatternEvidence, Study
from featurememory.models.optimization import ANY_INPUT
from featurememory.optimization.parameters import checked
from featurememory.optimization.posterior import ArmStatistics
from featurememory.optimization.registry import KnownStudy, studies
from featurememory.optimization.reward import Objective, RewardScale
from featurememory.optimization.storage import lock_or_make_study

FORMAT, VERSION = "featurememory-pack", 1
MOST_TRIALS = 20
"""What another installation has seen counts for so many trials of a pair at most: its machines are not ours."""
Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


class WrongPack(FeatureMemoryError):
    """The file is no pack, is cut off, or was imported before."""

    code = "wrong_pack"


def export_pack(path: Path, now: datetime, progress: Progress) -> None:
    """Writes all spaces that are calibrated, with their patterns, and all studies."""
    partial = path.with_name(path.name + ".partial")
    with gzip.open(partial, "wt", encoding="utf-8") as file:
        for line in _lines(now, progress):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    partial.replace(path)


def import_pack(
    path: Path, names: Mapping[str, str], *, actor: str, reason: str, now: datetime, progress: Progress
) -> None:
    """Takes a pack in, all of it or nothing. `names` has new names for spaces. WrongPack; ValidationError and
    ResourceConstraintError where something in it cannot be taken in."""
    header, *lines = _read(path)
    try:
        _take(path, header, lines, names, actor=actor, reason=reason, now=now, progress=progress)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise WrongPack(f"{path} is no sound memory pack: {wrong!r}", path=str(path)) from wrong


def _take(
    path: Path,
    header: dict[str, Any],
    lines: list[dict[str, Any]],
    names: Mapping[str, str],
    *,
    actor: str,
    reason: str,
    now: datetime,
    progress: Progress,
) -> None:
    pack = UUID(header["id"])
    with transaction.atomic():
        if was_done(pack):
            raise WrongPack(f"{path} was imported already.", path=str(path))
        AuditEntry.objects.create(
            at=now,
            actor=actor,
            action="memory.import",
            subject=path.name[:500],
            reason=reason,
            request_id=pack,
        )
        landed = _take_spaces(lines, names, now, progress)
        learned = [line for line in lines if line["kind"] == "study"]
        for number, line in enumerate(learned, 1):
            _take_study(line, landed, now)
            progress("studies", number, len(learned))


def _lines(now: datetime, progress: Progress) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "header",
        "format": FORMAT,
        "version": VERSION,
        "id": str(uuid4()),
        "created_at": now.isoformat(),
    }
    total, done = Pattern.objects.count(), 0
    for space in FeatureSpace.objects.filter(version__gt=0):
        yield {
            "kind": "space",
            "name": space.name,
            "dimension": space.dimension,
            "calibration": space.calibration,
            "axes": b64encode(read_plane(space).to_bytes()).decode(),
        }
        for row in space.patterns.order_by("pk").iterator(500):
            yield {
                "kind": "pattern",
                "space": space.name,
                "key": row.pk,
                "centroid": b64encode(bytes(row.centroid)).decode(),
                "count": row.count,
                "spread": row.spread,
                "visits": row.visits,
                "label": row.label,
                "pinned": row.pinned,
            }
            done += 1
            if done % 500 == 0 or done == total:
                progress("patterns", done, total)
    rows = Study.objects.defer("estimate")
    for number, study in enumerate(rows, 1):
        yield _study(study)
        progress("studies", number, len(rows))


def _study(study: Study) -> dict[str, Any]:
    arms = list(study.arms.filter(number__isnull=False).order_by("number"))
    evidence = (
        PatternEvidence.objects.filter(study=study).values_list("pattern", "record").order_by("pattern")
    )
    return {
        "kind": "study",
        "operation_type": study.operation_type,
        "model": study.model,
        "objective": study.state.get("objective"),
        "arms": [[arm.number, arm.parameters] for arm in arms],
        "evidence": [
            [pattern, {arm: seen for arm, (_, seen, *_) in record["arms"].items() if seen}]
            for pattern, record in evidence.iterator(500)
        ],
    }


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    except (OSError, EOFError, ValueError) as wrong:
        raise WrongPack(f"{path} cannot be read as a memory pack: {wrong}", path=str(path)) from None
    header = lines[0] if lines and isinstance(lines[0], dict) else {}
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise WrongPack(f"{path} is no memory pack of version {VERSION}.", path=str(path))
    return lines


def _take_spaces(
    lines: list[dict[str, Any]], names: Mapping[str, str], now: datetime, progress: Progress
) -> dict[int, Landed]:
    landed = {ANY_INPUT: Landed(ANY_INPUT, was_known=False)}
    found = [line for line in lines if line["kind"] == "space"]
    unknown = names.keys() - {line["name"] for line in found}
    if unknown:
        what = ", ".join(sorted(unknown))
        raise WrongPack(f"The pack has no feature space {what}.", spaces=sorted(unknown))
    total, done = sum(line["kind"] == "pattern" for line in lines), 0
    for line in found:
        arrivals = {
            each["key"]: Arrival(
                vector_from_bytes(b64decode(each["centroid"])),
                each["count"],
                each["spread"],
                each["visits"],
                each["label"],
                each["pinned"],
            )
            for each in lines
            if each["kind"] == "pattern" and each["space"] == line["name"]
        }
        landed |= take_in(
            names.get(line["name"], line["name"]),
            line["dimension"],
            line["calibration"],
            Plane.from_bytes(b64decode(line["axes"])),
            arrivals,
            max_spaces=settings.CONFIGURATION.max_spaces,
            max_patterns=settings.CONFIGURATION.max_patterns,
            now=now,
        )
        done += len(arrivals)
        progress("patterns", done, total)
    return landed


def _take_study(line: dict[str, Any], landed: Mapping[int, Landed], now: datetime) -> None:
    key = line["operation_type"], line["model"]
    row = lock_or_make_study(key, settings.CONFIGURATION.max_studies, now)
    if row is None or line["objective"] is None:
        return
    with studies().changing([row]), studies().caught_up(row, is_locked=True) as known:
        if known.study.scale is None:
            known.study.scale = RewardScale(Objective(*line["objective"]))
        elif list(known.study.scale.objective) != line["objective"]:
            message = f"{row} learns from {known.study.aim} here, from {line['objective'][0]} there"
            raise ValidationError(
                message, [{"field": "objective", "code": "not_comparable", "message": message}]
            )
        numbers = {
            str(number): known.number_of(parameters)
            if known.number_of(parameters) is not None
            else known.add_arm(row, checked(parameters, "arms"), Arm.Origin.PACK, now)
            for number, parameters in line["arms"]
        }
        tried = _take_evidence(line, landed, numbers, known)
        if known.study.learner.is_due:
            known.re_estimate(row)
        known.keep(row, (), tried, now)


def _take_evidence(
    line: dict[str, Any], landed: Mapping[int, Landed], numbers: Mapping[str, int | None], known: KnownStudy
) -> list[tuple[int, int]]:
    """Only of patterns of which nothing is known here: what was seen here counts more."""
    learner, tried = known.study.learner, []
    fresh = [
        (landed[pattern].pattern, arms)
        for pattern, arms in line["evidence"]
        if pattern in landed and landed[pattern].pattern not in learner.records
    ]
    for pattern, arms in fresh:
        for arm, (n, mean, m2) in arms.items():
            number = numbers.get(arm)
            if number is not None:
                share = min(1.0, MOST_TRIALS / n)
                learner.take_over(pattern, number, ArmStatistics(min(n, MOST_TRIALS), mean, m2 * share))
                tried.append((pattern, number))
    return tried
