"""One group commit: everything that a set of operations changes, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from featurememory.circuit_breaker import default_breaker_name, kind_of
from featurememory.circuit_breaker.fleet import BreakerResults, Fleet, Result
from featurememory.circuit_breaker.permits import read_permit
from featurememory.ingestion.failures import count_fits, failures_of
from featurememory.ingestion.inserts import insert_operations, set_patterns
from featurememory.ingestion.operations import Operation, Sender
from featurememory.ingestion.series import ResolvedSeries, SeriesKey, SeriesRegistry
from featurememory.models import Source, Study
from featurememory.observability.rollups import add_to_rollups, tally
from featurememory.optimization.neighbours import Neighbourhood, neighbourhood
from featurememory.optimization.registry import StudyRegistry
from featurememory.optimization.registry import studies as studies_of_process
from featurememory.optimization.storage import lock_studies
from featurememory.optimization.teaching import LocalChoice, Told, learn_from
from featurememory.validation.results import Judged
from featurememory.validation.storage import record_failures

if TYPE_CHECKING:
    from featurememory.core.registry import Learned, SpaceRegistry

Timed = tuple[float, Operation]
"""An operation behind its start, in seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request hands in."""

    operations: Sequence[Operation]
    sender: Sender | None = None
    size: int = 0
    """Bytes of the body, unzipped."""
    refused: Sequence[Judged] = ()
    """What else the request held: it is kept that, and why, it was refused."""
    key: str = ""
    """Who sent it, where neither sender nor operation says so."""

    @property
    def items(self) -> int:
        """What there is to store."""
        return len(self.operations) + len(self.refused)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a submission, once it is on disk."""

    accepted: int
    duplicates: int


class GroupTransaction:
    """Stores submissions together; keeps between them what is costly to look up."""

    def __init__(
        self,
        series: SeriesRegistry,
        fleet: Fleet,
        spaces: SpaceRegistry | None = None,
        studies: StudyRegistry | None = None,
    ) -> None:
        """Without `spaces` and `studies` it shares the process's own."""
        self._series = series
        self._fleet = fleet
        self._spaces = spaces
        self._learning: set[str] = set()
        self._fits: list[Operation] = []
        self._studies = studies or studies_of_process()

    def store(self, submissions: Sequence[Submission], now: float) -> list[Written]:
        """What each submission added. On return it is committed; an exception means nothing is."""
        self._learning, self._fits = set(), []
        try:
            written = self._store(submissions, now)
        except BaseException:
            self._fleet.forget()
            if self._spaces is not None:
                self._spaces.forget(self._learning)
            raise
        if self._fits:
            count_fits(self._fits, submissions, now)
        return written

    def _store(self, submissions: Sequence[Submission], now: float) -> list[Written]:
        moment = datetime.fromtimestamp(now, UTC)
        operations = _first_of_each_id(submissions)
        with transaction.atomic():
            series = self._series.resolve({_key(operation) for operation in operations}, moment)
            ids = [series[_key(operation)].id for operation in operations]
            news = insert_operations(operations, ids, moment) if operations else operations
            by_series = _by_series(news)
            add_to_rollups(tally(_by_place(by_series, series)))
            found = self._learn_patterns(news, moment)
            learning = lock_studies(by_series)
            with self._studies.changing(learning):
                senders = {each.sender.instance: each.sender for each in submissions if each.sender}
                told = _results_by_breaker(by_series, series, senders)
                events = self._fleet.observe(told, now)
                if learning:
                    outages = self._fleet.troubled(told) | {event.name for event in events}
                    learn_from(self._studies, learning, _told(learning, by_series, found, outages), moment)
                _note_senders(submissions, moment)
                record_failures(failures_of(submissions, news, found), moment)
        self._series.remember(series)
        self._fleet.announce(events)
        return _account(submissions, news)

    def _learn_patterns(self, operations: Iterable[Operation], moment: datetime) -> dict[UUID, Learned]:
        """Finds the pattern of each operation that has features of a space, and notes it there."""
        with_features = [each for each in operations if each.features and each.space]
        if not with_features:
            return {}
        if self._spaces is None:
            from featurememory.integration.spaces import spaces  # numpy, where there are features alone

            self._spaces = spaces()
        self._learning = {each.space for each in with_features}
        learned = self._spaces.learn([(each.space, each.features or b"") for each in with_features], moment)
        found = {each.id: result for each, result in zip(with_features, learned, strict=True)}
        self._fits = [each for each in with_features if found[each.id].fault is None]
        set_patterns({id: result.pattern for id, result in found.items() if result.pattern is not None})
        return found


def _told(
    learning: Iterable[Study],
    by_series: dict[SeriesKey, list[Timed]],
    found: dict[UUID, Learned],
    outages: set[str],
) -> list[Told]:
    """What the operations of the studies have to teach."""
    told = []
    for study in learning:
        key = study.operation_type, study.model
        for started_at, operation in by_series[key]:
            learned = found.get(operation.id)
            told.append(
                Told(
                    operation.id,
                    key,
                    operation.parameters,
                    operation.outcome,
                    started_at,
                    operation.duration_ms,
                    operation.score,
                    operation.recommendation,
                    LocalChoice(**operation.choice.model_dump()) if operation.choice else None,
                    learned.pattern if learned else None,
                    _near(learned) if learned else None,
                    (operation.breaker or default_breaker_name(*key)) in outages,
                )
            )
    return told


def _near(learned: Learned) -> Neighbourhood | None:
    found = learned.found
    return None if found is None else neighbourhood(found.others(learned.pattern), found.threshold)


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
