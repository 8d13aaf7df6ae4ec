"""What validators found, in the database. Who writes is alone until its transaction ends, so that limits hold exactly;
failures are rare enough for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import F

from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import ValidationRecord, ValidationTally
from featurememory.models.rollup import OTHER
from featurememory.validation.passes import PASSES, Passed
from featurememory.validation.results import Finding, Judged, Subject, ValidationResult, storable

KEPT_AN_HOUR = 1_000
"""Failures of one source that are kept in an hour; beyond, they are counted alone."""
MAX_SOURCES = 200
"""Sources that are counted by themselves in an hour; the others are `other` together."""
_HOUR = timedelta(hours=1)
_LONGEST_NAME = 200


class _Key(NamedTuple):
    hour: datetime
    source: str
    validator: str
    code: str


def record_failures(failures: Sequence[Judged], now: datetime) -> None:
    """Keeps and counts them; inside the caller's transaction. Who calls it takes no other lock afterwards."""
    if failures:
        be_alone_with(Lock.VALIDATIONS)
        hour = _hour_of(now)
        sources = _admitted({each.source for each in failures}, hour)
        kept = _kept_so_far(set(sources.values()), hour)
        rows = []
        for each in failures:
            source = sources[each.source]
            kept[source] += 1
            if kept[source] <= KEPT_AN_HOUR:
                rows.append(_row(each, _fitted(each.source), now))
        ValidationRecord.objects.bulk_create(rows, batch_size=100)
        _add(Counter(_Key(hour, sources[each.source], each.validator, each.result.code) for each in failures))


def record_one(judged: Judged, now: datetime) -> None:
    """A single failure, in a transaction of its own."""
    with transaction.atomic():
        record_failures([judged], now)


def record_passes(passed: Passed) -> None:
    """Counts what passed, and keeps its samples; in a transaction of its own."""
    if not passed.counts:
        return
    with transaction.atomic():
        be_alone_with(Lock.VALIDATIONS)
        counts: Counter[_Key] = Counter()
        for hour in sorted({hour for _, hour in passed.counts}):
            begin = datetime.fromtimestamp(hour * _HOUR.total_seconds(), UTC)
            here = {place: count for (place, each), count in passed.counts.items() if each == hour}
            sources = _admitted({source for _, source in here}, begin)
            for (validator, source), count in here.items():
                counts[_Key(begin, sources[source], validator, "")] += count
        ValidationRecord.objects.bulk_create(
            _row(
                Judged(validator, source, subject, ValidationResult()),
                _fitted(source),
                datetime.fromtimestamp(at, UTC),
            )
            for (validator, source), (at, subject) in passed.samples.items()
        )
        _add(counts)


def note_passes() -> None:
    """Writes down what passed in this process since the last time."""
    passed = PASSES.drain()
    try:
        record_passes(passed)
    except BaseException:
        PASSES.put_back(passed)
        raise


def _admitted(sources: Iterable[str], hour: datetime) -> dict[str, str]:
    """By what name each source is counted in the hour."""
    known = set(ValidationTally.objects.filter(hour=hour).values_list("source", flat=True).distinct())
    names: dict[str, str] = {}
    for source in sorted(sources):
        name = _fitted(source)
        if name not in known and len(known) >= MAX_SOURCES:
            name = OTHER
        known.add(name)
        names[source] = name
    return names


def _kept_so_far(sources: Iterable[str], hour: datetime) -> Counter[str]:
    """How many failures of each source the hour has had: as many were kept, up to the limit."""
    kept: Counter[str] = Counter()
    rows = ValidationTally.objects.filter(hour=hour, source__in=list(sources)).exclude(code="")
    for source, count in rows.values_list("source", "count"):
        kept[source] += count
    return kept


def _add(counts: Counter[_Key]) -> None:
    ValidationTally.objects.bulk_create(
        (ValidationTally(**key._asdict()) for key in sorted(counts)), batch_size=100, ignore_conflicts=True
    )
    for key in sorted(counts):
        ValidationTally.objects.filter(**key._asdict()).update(count=F("count") + counts[key])


def _row(judged: Judged, source: str, at: datetime) -> ValidationRecord:
    result = judged.result
    return ValidationRecord(
        validator=judged.validator,
        source=source,
        **_fitting(judged.subject),
        is_valid=result.is_valid,
        code=result.code,
        errors=findings_as_json(result.errors),
        warnings=findings_as_json(result.warnings),
        metadata=_as_json(result.metadata),
        at=at,
    )


def _as_json(metadata: Mapping[str, Any]) -> Any:
    """As every database keeps it, whatever an application's validator put in."""
    text = orjson.dumps(dict(metadata), default=str, option=orjson.OPT_NON_STR_KEYS)
    return orjson.loads(text.replace(rb"\u0000", rb"\ufffd"))


def findings_as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [{name: storable(text) for name, text in each._asdict().items()} for each in findings]


def _fitting(subject: Subject) -> dict[str, str]:
    return {name: _fitted(value) for name, value in subject._asdict().items()}


def _fitted(name: str) -> str:
    """As far as a row can hold it: what was refused may have any name."""
    return storable(name[:_LONGEST_NAME])


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
