"""What a learner keeps of one pattern."""

from __future__ import annotations

from typing import Any, Self

from featurememory.optimization.estimate import Estimate
from featurememory.optimization.guard import FOR_GOOD, PairGuard, Quarantine
from featurememory.optimization.lifecycle import Cause, Change, Status
from featurememory.optimization.neighbours import Neighbourhood
from featurememory.optimization.posterior import ArmStatistics, Normal


class PatternRecord:
    """Statistics, guards and standing of the arms that were tried in a pattern, by arm."""

    __slots__ = (
        "_prior",
        "_prior_of",
        "gain",
        "guards",
        "near",
        "pattern",
        "preferred",
        "quarantines",
        "seen",
        "standing",
        "visits",
    )

    def __init__(self, pattern: int) -> None:
        self.pattern = pattern
        self.seen: dict[int, ArmStatistics] = {}
        self.guards: dict[int, PairGuard] = {}
        self.quarantines: dict[int, Quarantine] = {}
        self.standing: dict[int, Status] = {}
        self.near: Neighbourhood = ()
        self.visits = 0
        self.preferred: int | None = None
        """The arm that an operator promoted, as long as its outcomes let it stand."""
        self.gain = 0.0
        """What its own outcomes let it gain over what would be known without them."""
        self._prior: list[Normal] = []
        self._prior_of: tuple[Estimate, Neighbourhood] | None = None

    def prior(self, estimate: Estimate) -> list[Normal]:
        """Of its arms' own effects, as its neighbours let expect them."""
        if self._prior_of is None or self._prior_of[0] is not estimate or self._prior_of[1] is not self.near:
            self._prior, self._prior_of = estimate.effect_priors(self.near), (estimate, self.near)
        return self._prior

    def statistics(self, arm: int) -> ArmStatistics:
        """The arm's own, made where there are none. Arms stay in order: sums over them then come out the same to the
        last bit, whenever the record was read from where."""
        if arm not in self.seen:
            self.seen[arm] = ArmStatistics()
            self.seen = dict(sorted(self.seen.items()))
        return self.seen[arm]

    def status(self, arm: int) -> Status:
        return self.standing.get(arm, Status.CANDIDATE)

    @property
    def promoted(self) -> int | None:
        """The arm that stands above the others, where one does."""
        return next((arm for arm, status in self.standing.items() if status is Status.PROMOTED), None)

    @property
    def shut_out(self) -> set[int]:
        return {arm for arm, status in self.standing.items() if status.is_shut_out}

    def move(self, arm: int, move: tuple[Status, Cause] | None) -> list[Change]:
        """Changes an arm's standing, and that of one which another's promotion supersedes. Into quarantine it goes for
        twice as long as the last time, unless an operator has said for how long."""
        if move is None or move[0] is self.status(arm):
            return []
        status, cause = move
        changes = []
        rival = self.promoted
        if status is Status.PROMOTED and rival is not None:
            self.standing[rival] = Status.ACTIVE
            changes.append(Change(self.pattern, rival, Status.PROMOTED, Status.ACTIVE, Cause.SUPERSEDED))
        if status is Status.QUARANTINED and cause is not Cause.OPERATOR:
            self.quarantines[arm] = self.quarantines.get(arm, Quarantine()).again(self.visits)
        changes.append(Change(self.pattern, arm, self.status(arm), status, cause))
        self.standing[arm] = status
        if self.preferred is not None and self.status(self.preferred) is not Status.PROMOTED:
            self.preferred = None
        return changes

    def order(self, arm: int, status: Status) -> list[Change]:
        """An operator's word; shut out by it an arm stays so until his next."""
        until = FOR_GOOD if status.is_shut_out else 0
        self.quarantines[arm] = self.quarantines.get(arm, Quarantine())._replace(until=until)
        changes = self.move(arm, (status, Cause.OPERATOR))
        if status is Status.PROMOTED:
            self.preferred = arm
        return changes

    def end_quarantines(self) -> list[Change]:
        """Of those arms whose time is over."""
        over = [
            arm
            for arm, quarantine in self.quarantines.items()
            if self.status(arm) is Status.QUARANTINED and not quarantine.holds(self.visits)
        ]
        return [change for arm in over for change in self.move(arm, (Status.ACTIVE, Cause.QUARANTINE_OVER))]

    def drop(self, arm: int) -> bool:
        """Lets go of what is known of an arm; whether there was anything."""
        parts: tuple[dict[int, Any], ...] = (self.seen, self.guards, self.quarantines, self.standing)
        if self.preferred == arm:
            self.preferred = None
        dropped = [part.pop(arm, None) for part in parts]
        return any(each is not None for each in dropped)

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it, floats exactly."""
        return {
            "visits": self.visits,
            "gain": self.gain,
            "preferred": self.preferred,
            "near": [list(each) for each in self.near],
            "arms": {
                str(arm): [
                    self.status(arm).value,
                    self.seen[arm].snapshot() if arm in self.seen else None,
                    self.guards[arm].snapshot() if arm in self.guards else None,
                    self.quarantines.get(arm),
                ]
                for arm in sorted(
                    self.seen.keys() | self.guards.keys() | self.quarantines.keys() | self.standing.keys()
                )
            },
        }

    @classmethod
    def restored(cls, pattern: int, snapshot: dict[str, Any]) -> Self:
        record = cls(pattern)
        record.visits, record.gain = snapshot["visits"], snapshot["gain"]
        record.preferred = snapshot["preferred"]
        record.near = tuple((pattern, weight) for pattern, weight in snapshot["near"])
        for name, (status, seen, guard, quarantine) in snapshot["arms"].items():
            arm = int(name)
            record.standing[arm] = Status(status)
            if seen is not None:
                record.seen[arm] = ArmStatistics(*seen)
            if guard is not None:
                record.guards[arm] = PairGuard.restored(guard)
            if quarantine is not None:
                record.quarantines[arm] = Quarantine(*quarantine)
        return record
