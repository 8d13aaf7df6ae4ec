"""What a learner keeps of each arm over all patterns: its guard, its quarantine, and what patterns that are gone have
taught of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from featurememory.optimization.guard import FOR_GOOD, ArmGuard, Quarantine
from featurememory.optimization.linear import Matrix
from featurememory.optimization.posterior import Normal


class ArmBook:
    """Arms are numbered from 0. `beta_prior`: what sister models know of them."""

    def __init__(self, count: int, beta_prior: Sequence[Normal | None] = ()) -> None:
        self.guards = [ArmGuard() for _ in range(count)]
        self.quarantines = [Quarantine()] * count
        self.beta_prior = list(beta_prior)
        self.archived: tuple[Matrix, list[float]] = ([[0.0] * count for _ in range(count)], [0.0] * count)
        """Normal equations of patterns no longer kept (pooling.normal_equations)."""

    def __len__(self) -> int:
        return len(self.guards)

    def add(self) -> int:
        """One more; gives its number."""
        self.guards.append(ArmGuard())
        self.quarantines.append(Quarantine())
        matrix, vector = self.archived
        for row in matrix:
            row.append(0.0)
        matrix.append([0.0] * len(self))
        vector.append(0.0)
        return len(self) - 1

    def clear(self, arm: int) -> None:
        """Lets go of all that is known of it, and shuts it out until `fill`."""
        self.guards[arm], self.quarantines[arm] = ArmGuard(), Quarantine(0, FOR_GOOD)
        matrix, vector = self.archived
        matrix[arm], vector[arm] = [0.0] * len(self), 0.0
        for row in matrix:
            row[arm] = 0.0
        if arm < len(self.beta_prior):
            self.beta_prior[arm] = None

    def fill(self, arm: int) -> None:
        """A number that was cleared stands for another arm, of which nothing is known."""
        self.quarantines[arm] = Quarantine()

    def is_shut_out(self, arm: int, operations: int) -> bool:
        """From every pattern."""
        return self.quarantines[arm].holds(operations)

    def shut_out(self, arm: int, operations: int) -> None:
        """For twice as long as the last time."""
        self.quarantines[arm] = self.quarantines[arm].again(operations)

    def archive(self, matrix: Matrix, vector: Sequence[float]) -> None:
        """Adds what a pattern taught that goes."""
        kept_matrix, kept_vector = self.archived
        for row, added in zip(kept_matrix, matrix, strict=True):
            row[:] = map(float.__add__, row, added)
        kept_vector[:] = map(float.__add__, kept_vector, vector)

    def forget(self, pattern: int) -> None:
        for guard in self.guards:
            guard.forget(pattern)

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it, floats exactly."""
        return {
            "beta_prior": self.beta_prior,
            "guards": [guard.snapshot() for guard in self.guards],
            "quarantines": self.quarantines,
            "archived": self.archived,
        }

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> Self:
        book = cls(0, [each and Normal(*each) for each in snapshot["beta_prior"]])
        book.guards = [ArmGuard.restored(each) for each in snapshot["guards"]]
        book.quarantines = [Quarantine(*each) for each in snapshot["quarantines"]]
        matrix, vector = snapshot["archived"]
        book.archived = matrix, vector
        return book
