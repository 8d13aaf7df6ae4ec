"""One group commit: everything that a set of operations changes, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from featurememory.circuit_breaker import default_breaker_name, kind_of
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.circuit_breaker.permits import read_permit
from featurememory.ingestion.inserts import insert_operations, set_patterns
from featurememory.ingestion.operations import Operation, Sender
from featurememory.ingestion.series import ResolvedSeries, SeriesKey, SeriesRegistry
from featurememory.models import Source
from featurememory.observability.rollups import add_to_rollups, tally

if TYPE_CHECKING:
    from featurememory.core.registry import SpaceRegistry

Timed = tuple[float, Operation]
"""An operation behind its start, in seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request hands in."""

    operations: Sequence[Operation]
    sender: Sender | None = None
    size: int = 0
    """Bytes of the body, unzipped."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a submission, once it is on disk."""

    accepted: int
    duplicates: int


class GroupTransaction:
    """Stores submissions together; keeps between them what is costly to look up."""

    def __init__(self, series: SeriesRegistry, fleet: Fleet) -> None:
        self._series = series
        self._fleet = fleet
        self._spaces: SpaceRegistry | None = None
        self._learning: set[str] = set()

    def store(self, submissions: Sequence[Submission], now: float) -> list[Written]:
        """What each submission added. On return it is committed; an exception means nothing is."""
        self._learning = set()
        try:
            return self._store(submissions, now)
        except BaseException:
            self._fleet.forget()
            if self._spaces is not None:
                self._spaces.forget(self._learning)
            raise

    def _store(self, submissions: Sequence[Submission], now: float) -> list[Written]:
        moment = datetime.fromtimestamp(now, UTC)
        operations = _first_of_each_id(submissions)
        with transaction.atomic():
            series = self._series.resolve({_key(operation) for operation in operations}, moment)
            ids = [series[_key(operation)].id for operation in operations]
            news = insert_operations(operations, ids, moment) if operations else operations
            by_series = _by_series(news)
            add_to_rollups(tally(_by_place(by_series, series)))
            self._learn_patterns(news, moment)
            senders = {each.sender.instance: each.sender for each in submissions if each.sender}
            told = _results_by_breaker(by_series, series, senders)
            events = self._fleet.observe(told, now)
            _note_senders(submissions, moment)
        self._series.remember(series)
        self._fleet.announce(events)
        return _account(submissions, news)

    def _learn_patterns(self, operations: Iterable[Operation], moment: datetime) -> None:
        """Finds the pattern of each operation that has features of a space, and notes it there."""
        with_features = [each for each in operations if each.features and each.space]
        if not with_features:
            return
        if self._spaces is None:
            from featurememory.core.registry import spaces  # numpy, where there are features alone

            self._spaces = spaces()
        self._learning = {each.space for each in with_features}
        learned = self._spaces.learn([(each.space, each.features or b"") for each in with_features], moment)
        found = zip(with_features, learned, strict=True)
        set_patterns({each.id: result.pattern for each, result in found if result.pattern is not None})


def _key(operation: Operation) -> SeriesKey:
    return operation.operation_type, operation.model


def _first_of_each_id(submissions: Sequence[Submission]) -> Sequence[Operation]:
    operations = list(chain.from_iterable(submission.operations for submission in submissions))
    unique = {operation.id.int: operation for operation in reversed(operations)}
    return operations if len(unique) == len(operations) else list(reversed(unique.values()))


def _by_series(operations: Iterable[Operation]) -> dict[SeriesKey, list[Timed]]:
    """The operations of each (operation_type, model), with their start in seconds since the Unix epoch."""
    grouped: dict[SeriesKey, list[Timed]] = {}
    for operation in operations:
        grouped.setdefault(_key(operation), []).append((operation.started_at.timestamp(), operation))
    return grouped


def _by_place(
    by_series: dict[SeriesKey, list[Timed]], series: dict[SeriesKey, ResolvedSeries]
) -> dict[int, list[Timed]]:
    """The operations by the id of the series they are counted in; several may share that of `other`."""
    places: dict[int, list[Timed]] = {}
    for key, operations in by_series.items():
        places.setdefault(series[key].id, []).extend(operations)
    return places


def _results_by_breaker(
    by_series: dict[SeriesKey, list[Timed]],
    series: dict[SeriesKey, ResolvedSeries],
    senders: dict[str, Sender],
) -> dict[str, BreakerResults]:
    """Results for each breaker's name. Folded series have none: strangers must not trip each other."""
    by_breaker: dict[str, BreakerResults] = {}
    for key, operations in by_series.items():
        own = "" if series[key].folded else default_breaker_name(*key)
        for started_at, operation in operations:
            name = operation.breaker or own
            if name:
                sender = senders.get(operation.instance)
                told = by_breaker.get(name) or by_breaker.setdefault(
                    name, BreakerResults(*key, declared=sender.breaker if sender else None)
                )
                told.results.append(_result(operation, started_at, bool(sender and sender.sdk)))
    return by_breaker


def _result(operation: Operation, started_at: float, is_guarded: bool) -> Result:
    duration_s = operation.duration_ms / 1_000
    epoch, probe = read_permit(operation.permit)
    return Result(
        started_at + duration_s,
        started_at,
        operation.breaker_result or kind_of(operation.outcome),
        duration_s,
        epoch,
        probe,
        operation.outcome == "rejected",
        operation.operation_type,
        is_guarded,
    )


def _note_senders(submissions: Iterable[Submission], moment: datetime) -> None:
    senders = [submission.sender for submission in submissions if submission.sender]
    newest = {sender.instance: sender for sender in sorted(senders, key=lambda sender: sender.dropped)}
    for instance, sender in sorted(newest.items()):
        changed = Source.objects.filter(instance=instance).update(
            last_seen=moment, sdk=sender.sdk, dropped=Greatest(F("dropped"), Value(sender.dropped))
        )
        if not changed:
            Source.objects.get_or_create(
                instance=instance,
                defaults={
                    "sdk": sender.sdk,
                    "dropped": sender.dropped,
                    "first_seen": moment,
                    "last_seen": moment,
                },
            )


def _account(submissions: Sequence[Submission], news: Sequence[Operation]) -> list[Written]:
    """Shares the new operations out: the first submission that holds an id is credited with it."""
    uncredited = {operation.id.int for operation in news}
    written = []
    for submission in submissions:
        credited = uncredited.intersection([operation.id.int for operation in submission.operations])
        uncredited -= credited
        written.append(Written(len(credited), len(submission.operations) - len(credited)))
    return written
