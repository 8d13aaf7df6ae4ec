"""What all patterns of one (model, operation type) have in common: y = alpha_p + beta_a + gamma_pa + noise.

beta is estimated by generalised least squares with alpha and gamma integrated out, the variances by
expectation-maximisation (Laird & Ware 1982, "Random-effects models for longitudinal data"), each arm's shrunk towards a
common one. Estimates start from the last ones, so that a pass or two at a time is enough. beta and its
variances are differences from the baseline's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from featurememory.optimization.linear import Matrix, inverse, times
from featurememory.optimization.neighbours import Residual
from featurememory.optimization.posterior import ArmStatistics, Normal

T = TypeVar("T")
Evidence = Mapping[int, Mapping[int, ArmStatistics]]
"""Statistics by pattern and arm; only of pairs that were seen."""

GAMMA_SHARE: Final = 0.2
"""Of the variance of all outcomes, before anything is known: what the variances begin at."""
BETA_SHARE: Final = 0.25
NOISE_SHARE: Final = 0.15
COMMON_STRENGTH: Final = 2.0
"""Pseudo-observations behind the variances that all arms share."""
ARM_STRENGTH: Final = 8.0
"""Pseudo-observations that draw an arm's variances to the common ones."""
PAIR_STRENGTH: Final = 8.0
_FLOOR: Final = 1e-6


class Pooled(NamedTuple):
    """`level`: of the patterns' alpha; `beta`: common effects, 0 for the baseline; `gamma`: variances of the
    patterns' deviations; `noise`: variances of outcomes. `gamma_common`, `beta_common`: what they are shrunk to."""

    level: Normal
    beta: tuple[Normal, ...]
    gamma: tuple[float, ...]
    noise: tuple[float, ...]
    gamma_common: float
    beta_common: float
    noise_common: float
    scale: float

    def with_arm(self, pessimism: float) -> Pooled:
        """With one more arm, of which nothing is known."""
        unknown = Normal(-pessimism * self.beta_common**0.5, self.beta_common)
        return self._replace(
            beta=(*self.beta, unknown),
            gamma=(*self.gamma, self.gamma_common),
            noise=(*self.noise, self.noise_common),
        )

    def without(self, arm: int, pessimism: float) -> Pooled:
        """With nothing known of `arm` any more."""
        fresh = self.with_arm(pessimism)
        return self._replace(
            beta=_with(self.beta, arm, fresh.beta[-1]),
            gamma=_with(self.gamma, arm, fresh.gamma[-1]),
            noise=_with(self.noise, arm, fresh.noise[-1]),
        )

    def snapshot(self) -> list[Any]:
        return list(self)

    @classmethod
    def restored(cls, snapshot: Sequence[Any]) -> Pooled:
        level, beta, gamma, noise, *common = snapshot
        return cls(Normal(*level), tuple(Normal(*each) for each in beta), tuple(gamma), tuple(noise), *common)


def first_guess(outcomes: ArmStatistics, arms: int, baseline: int, pessimism: float = 0.0) -> Pooled:
    """From the spread of the first outcomes, whatever their arm; `pessimism`: see `estimate`."""
    scale = max(outcomes.m2 / max(outcomes.n - 1, 1), _FLOOR * max(outcomes.mean**2, 1.0))
    beta = scale * BETA_SHARE
    unknown = Normal(-pessimism * beta**0.5, beta)
    return Pooled(
        Normal(outcomes.mean, 4 * scale),
        tuple(Normal(0.0, 0.0) if arm == baseline else unknown for arm in range(arms)),
        (scale * GAMMA_SHARE,) * arms,
        (scale * NOISE_SHARE,) * arms,
        scale * GAMMA_SHARE,
        beta,
        scale * NOISE_SHARE,
        scale,
    )


def pair_noise(noise: float, seen: ArmStatistics) -> float:
    """The variance of a pair's outcomes: its own, drawn to its arm's."""
    return (PAIR_STRENGTH * noise + seen.m2) / (PAIR_STRENGTH + seen.n - 1)


def estimate(
    evidence: Evidence,
    before: Pooled,
    baseline: int,
    *,
    gamma_priors: Mapping[int, Sequence[Normal]] | None = None,
    beta_prior: Sequence[Normal | None] = (),
    archived: tuple[Matrix, list[float]] | None = None,
    pessimism: float = 0.0,
) -> Pooled:
    """One pass from the estimates `before`.

    `gamma_priors` are the deviations that neighbours let expect; `beta_prior` what sister models know of the
    arms, None where they know nothing; `archived` the normal equations of patterns no longer kept
    (`normal_equations`). Without sisters a candidate is taken to be `pessimism` prior standard deviations worse than
    the baseline, which somebody chose.
    """
    arms = len(before.beta)
    noise_common, noise = _noise(evidence, before, arms)
    now = before._replace(noise_common=noise_common, noise=noise)
    matrix, vector = archived or (_zeros(arms), [0.0] * arms)
    matrix, vector = [list(row) for row in matrix], list(vector)
    for pattern, seen in evidence.items():
        _add_normal_equations(matrix, vector, seen, now, (gamma_priors or {}).get(pattern))
    unknown = Normal(-pessimism * now.beta_common**0.5, now.beta_common)
    prior = [each or unknown for each in (*beta_prior, *[None] * (arms - len(beta_prior)))]
    beta = _solve(matrix, vector, prior, baseline)
    now = now._replace(beta=beta)
    return _variances(evidence, now, baseline, gamma_priors or {})


def normal_equations(
    seen: Mapping[int, ArmStatistics], pooled: Pooled, gamma_prior: Sequence[Normal] | None = None
) -> tuple[Matrix, list[float]]:
    """What one pattern teaches about beta, when nothing else is kept of it."""
    arms = len(pooled.beta)
    matrix, vector = _zeros(arms), [0.0] * arms
    _add_normal_equations(matrix, vector, seen, pooled, gamma_prior)
    return matrix, vector


def residuals(seen: Mapping[int, ArmStatistics], pooled: Pooled) -> dict[int, Residual]:
    """Of a pattern's arms, from its own outcomes only: r = mean - alpha_p - beta_a and k = n / (n + s2 / t2)."""
    level, _ = _level(seen, pooled, None)
    return {
        arm: Residual(
            statistics.mean - level - pooled.beta[arm].mean,
            statistics.n / (statistics.n + pooled.noise[arm] / pooled.gamma[arm]),
        )
        for arm, statistics in seen.items()
    }


class Sister(NamedTuple):
    """What another model of the operation type knows: the effect of each arm over the baseline, None for arms it
    does not have, and the variance between its patterns."""

    effects: Sequence[Normal | None]
    gamma_common: float


def sister_of(pooled: Pooled, places: Sequence[int | None], baseline: int) -> Sister:
    """`places` says which of its arms each of ours is, `baseline` which is our baseline."""
    base = pooled.beta[baseline]
    return Sister(
        [
            None
            if place is None
            else Normal(pooled.beta[place].mean - base.mean, pooled.beta[place].variance)
            for place in places
        ],
        pooled.gamma_common,
    )


def sisters_prior(sisters: Sequence[Sister]) -> list[Normal | None]:
    """Of the arms of a new model, from other models' of its operation type: mean and spread of their beta, the
    spread times (1 + 1 / number of models), as one more draw from the same population. None for arms that no other
    model has."""
    prior: list[Normal | None] = []
    for each in zip(*[sister.effects for sister in sisters], strict=True):
        known = [
            (effect, sister.gamma_common)
            for effect, sister in zip(each, sisters, strict=True)
            if effect is not None
        ]
        prior.append(_one_more_draw(known) if known else None)
    return prior


def _one_more_draw(known: Sequence[tuple[Normal, float]]) -> Normal:
    count = len(known)
    mean = sum(effect.mean for effect, _ in known) / count
    within = sum(gamma for _, gamma in known) / count
    between = (within + sum((effect.mean - mean) ** 2 for effect, _ in known)) / count
    uncertain = sum(effect.variance for effect, _ in known) / count
    return Normal(mean, (between + uncertain) * (1 + 1 / count))


def _noise(evidence: Evidence, before: Pooled, arms: int) -> tuple[float, tuple[float, ...]]:
    squares, degrees = [0.0] * arms, [0] * arms
    for seen in evidence.values():
        for arm, statistics in seen.items():
            squares[arm] += statistics.m2
            degrees[arm] += statistics.n - 1
    first = before.scale * NOISE_SHARE
    common = (COMMON_STRENGTH * first + sum(squares)) / (COMMON_STRENGTH + sum(degrees))
    common = max(common, _FLOOR * before.scale)
    each = zip(squares, degrees, strict=True)
    return common, tuple((ARM_STRENGTH * common + total) / (ARM_STRENGTH + count) for total, count in each)


def _weights(
    seen: Mapping[int, ArmStatistics], pooled: Pooled, gamma_prior: Sequence[Normal] | None
) -> list[tuple[int, float, float]]:
    """(arm, precision of its mean around level and beta, that mean less what neighbours let expect)."""
    weights = []
    for arm, statistics in seen.items():
        mean, variance = gamma_prior[arm] if gamma_prior else (0.0, pooled.gamma[arm])
        spread = variance + pair_noise(pooled.noise[arm], statistics) / statistics.n
        weights.append((arm, 1 / spread, statistics.mean - mean))
    return weights


def _add_normal_equations(
    matrix: Matrix,
    vector: list[float],
    seen: Mapping[int, ArmStatistics],
    pooled: Pooled,
    gamma_prior: Sequence[Normal] | None,
) -> None:
    weights = _weights(seen, pooled, gamma_prior)
    precision = 1 / pooled.level.variance + sum(weight for _, weight, _ in weights)
    level = (
        pooled.level.mean / pooled.level.variance + sum(weight * mean for _, weight, mean in weights)
    ) / precision
    for arm, weight, mean in weights:
        row, share = matrix[arm], weight / precision
        row[arm] += weight
        for other, other_weight, _ in weights:
            row[other] -= share * other_weight
        vector[arm] += weight * (mean - level)


def _solve(matrix: Matrix, vector: list[float], prior: Sequence[Normal], baseline: int) -> tuple[Normal, ...]:
    """beta of the candidates given that the baseline's is 0."""
    free = [arm for arm in range(len(vector)) if arm != baseline]
    system = [[matrix[one][other] for other in free] for one in free]
    right = [vector[arm] for arm in free]
    for index, arm in enumerate(free):
        system[index][index] += 1 / prior[arm].variance
        right[index] += prior[arm].mean / prior[arm].variance
    covariance = inverse(system)
    means = times(covariance, right)
    beta = [Normal(0.0, 0.0)] * len(vector)
    for index, arm in enumerate(free):
        beta[arm] = Normal(means[index], covariance[index][index])
    return tuple(beta)


def _level(
    seen: Mapping[int, ArmStatistics], pooled: Pooled, gamma_prior: Sequence[Normal] | None
) -> tuple[float, float]:
    """Mean and variance of a pattern's alpha."""
    precision = 1 / pooled.level.variance
    total = precision * pooled.level.mean
    for arm, weight, mean in _weights(seen, pooled, gamma_prior):
        precision += weight
        total += weight * (mean - pooled.beta[arm].mean)
    return total / precision, 1 / precision


def _variances(
    evidence: Evidence, pooled: Pooled, baseline: int, gamma_priors: Mapping[int, Sequence[Normal]]
) -> Pooled:
    arms = len(pooled.beta)
    squares, counts = [0.0] * arms, [0] * arms
    levels = ArmStatistics()
    level_variance = 0.0
    for pattern, seen in evidence.items():
        prior = gamma_priors.get(pattern)
        level, variance = _level(seen, pooled, prior)
        levels.record(level)
        level_variance += variance
        for arm, statistics in seen.items():
            mean, spread = prior[arm] if prior else (0.0, pooled.gamma[arm])
            gain = spread / (spread + pair_noise(pooled.noise[arm], statistics) / statistics.n)
            deviation = mean + gain * (statistics.mean - level - pooled.beta[arm].mean - mean)
            squares[arm] += deviation**2 + spread * (1 - gain) + gain**2 * variance
            counts[arm] += 1
    first = pooled.scale
    common = (COMMON_STRENGTH * first * GAMMA_SHARE + sum(squares)) / (COMMON_STRENGTH + sum(counts))
    common = max(common, _FLOOR * first)
    gamma = tuple(
        (ARM_STRENGTH * common + total) / (ARM_STRENGTH + count)
        for total, count in zip(squares, counts, strict=True)
    )
    effects = [each for arm, each in enumerate(pooled.beta) if arm != baseline]
    beta_common = (
        COMMON_STRENGTH * first * BETA_SHARE + sum(each.mean**2 + each.variance for each in effects)
    ) / (COMMON_STRENGTH + len(effects))
    spread = (4 * first + levels.m2 + level_variance) / (1 + max(levels.n - 1, 0))
    return pooled._replace(
        level=Normal(levels.mean if levels.n else pooled.level.mean, spread),
        gamma=gamma,
        gamma_common=common,
        beta_common=max(beta_common, _FLOOR * first),
    )


def _zeros(size: int) -> Matrix:
    return [[0.0] * size for _ in range(size)]


def _with(values: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*values[:place], value, *values[place + 1 :])
