"""How long each kind of row is kept, and how much of the disk it may take. A frozen value, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple, Self

from featurememory.errors import ConfigurationError


class Keep(NamedTuple):
    """Days, and megabytes beyond which the oldest go sooner; None: no such limit of its own."""

    days: float
    megabytes: float | None = None


class Kind(NamedTuple):
    """A kind of row: what it is called, what it is for, and how long it is kept unless somebody says otherwise."""

    name: str
    text: str
    keep: Keep
    least_days: float = 1
    """Fewer would break what rests on it."""
    is_large: bool = True
    """Whether there may be so many that a limit in megabytes makes sense."""


KINDS: Final = (
    Kind("operations", "single operations with all they carried", Keep(30)),
    Kind("minutes", "counts and latencies per minute; hours hold their sums", Keep(31), 2),
    Kind("hours", "counts and latencies per hour; days hold their sums", Keep(400), 32),
    Kind("days", "counts and latencies per day", Keep(3_650), 401),
    Kind("recommendations", "recommendations and why they were given", Keep(30)),
    Kind("feedback", "later scores and outcomes", Keep(30)),
    Kind("validations", "what validators found", Keep(30)),
    Kind("validation_counts", "how many passed and failed, by the hour", Keep(400)),
    Kind("breaker_history", "changes of breakers", Keep(400), 7),
    Kind("local_transitions", "what breakers did in single processes", Keep(30)),
    Kind("optimization_history", "changes of optimizations", Keep(400), 7),
    Kind("health_snapshots", "health every few seconds", Keep(7)),
    Kind("health_history", "changes of health", Keep(400), 7, is_large=False),
    Kind(
        "resource_samples", "what was used, by the hour; minutes for 14 days, moments for one", Keep(400), 14
    ),
    Kind("alerts", "alerts that are over, and what became of them", Keep(90)),
    Kind("deliveries", "what was told of alerts, and to whom", Keep(30), 2),
    Kind("annotations", "deploys and notes beside the charts", Keep(730), is_large=False),
    Kind("audit", "who did what", Keep(730), 90),
    Kind("cleanup_runs", "cleanups", Keep(400), 7, is_large=False),
    Kind("job_runs", "failed and asked-for runs of jobs", Keep(90), is_large=False),
)
MOST_DAYS: Final = 36_500
_BY_NAME: Final = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of each kind."""

    keeps: Mapping[str, Keep]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The defaults with `values` over them: {kind: {days, megabytes}}, each of the two may be left out.
        ConfigurationError names the field that is wrong, and what is right."""
        keeps = {kind.name: kind.keep for kind in KINDS}
        for name, given in values.items():
            if name not in _BY_NAME:
                raise _wrong(name, given, f"no kind of row; there are {', '.join(_BY_NAME)}")
            keeps[name] = _checked(_BY_NAME[name], given)
        for fine, coarse in (("minutes", "hours"), ("hours", "days")):
            if keeps[fine].days >= keeps[coarse].days:
                raise _wrong(
                    f"{coarse}.days",
                    keeps[coarse].days,
                    f"not more than {fine}.days = {keeps[fine].days:g}: {coarse} are what is left of {fine}",
                )
        return cls(keeps)

    def __getitem__(self, kind: str) -> Keep:
        return self.keeps[kind]

    def __iter__(self) -> Iterator[tuple[Kind, Keep]]:
        return ((kind, self.keeps[kind.name]) for kind in KINDS)

    def age(self, kind: str) -> timedelta:
        """Beyond which rows of the kind go."""
        return timedelta(days=self.keeps[kind].days)

    def to_mapping(self) -> dict[str, dict[str, float | None]]:
        return {name: keep._asdict() for name, keep in self.keeps.items()}


def _checked(kind: Kind, given: object) -> Keep:
    if not isinstance(given, Mapping) or not given.keys() <= set(Keep._fields):
        raise _wrong(kind.name, given, f"not understood: give an object with {' and '.join(Keep._fields)}")
    days, megabytes = given.get("days", kind.keep.days), given.get("megabytes", kind.keep.megabytes)
    if not _is_number(days) or not kind.least_days <= days <= MOST_DAYS:
        raise _wrong(f"{kind.name}.days", days, f"not a number from {kind.least_days:g} to {MOST_DAYS:,}")
    if megabytes is not None and (not _is_number(megabytes) or not 1 <= megabytes <= 67_108_864):
        raise _wrong(
            f"{kind.name}.megabytes", megabytes, "neither null (no limit) nor a number from 1 to 67,108,864"
        )
    if megabytes is not None and not kind.is_large:
        raise _wrong(f"{kind.name}.megabytes", megabytes, "not possible: these are few; limit their days")
    return Keep(days, megabytes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(field: str, value: object, what: str) -> ConfigurationError:
    return ConfigurationError(f"{field} = {value!r} is {what}.", field=field, value=value)
