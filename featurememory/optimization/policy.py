"""Which arm an operation gets: Thompson sampling inside a safety fence, beside a randomised control group.

A fixed number of draws from the posterior is made, one of them decides. Given the draws, each arm's propensity is
therefore exactly known: no approximation stands behind the weights that effectiveness is computed with. Deviations
are scaled down: those of the common effects always, those of a pattern's own effects the more the fewer visits it has
had. With many patterns and few visits to each, full-sized exploration costs more than it finds; in one that keeps
coming, what is found pays for itself, and the scale grows to its full size, so that no arm is given up for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from math import inf, sqrt
from random import Random
from typing import NamedTuple

from featurememory.errors import ConfigurationError
from featurememory.optimization.posterior import Normal, PatternPosterior

_FAR_SD = 2.5
"""An arm that this many standard deviations up would stay below a proven one as many down is not drawn."""


class PolicyConfig(NamedTuple):
    """`control`: share of operations that stay on the baseline at least, or `sure_control` times that in patterns where
    another arm is better by `sure_sd` standard deviations; `unproven`: share that may get arms not
    yet known to be as good as the baseline in their pattern; `proven_sd`: standard deviations by which one must
    be above it to count as known. A pattern's own deviations are drawn `own_scale` times as large as they are
    believed to be, half that after `recurring` visits; the common ones `shared_scale` times. `still_trying`: share
    of operations in which others are tried beside one that an operator prefers. `loss_budget`: None, or the share of
    all operations' baseline reward that exploring may cost."""

    control: float = 0.1
    sure_control: float = 0.5
    sure_sd: float = 1.5
    unproven: float = 0.8
    proven_sd: float = 0.0
    own_scale: float = 1.0
    shared_scale: float = 0.6
    draws: int = 8
    recurring: float = 60.0
    still_trying: float = 0.2
    loss_budget: float | None = None

    def checked(self) -> PolicyConfig:
        for field, low, high in _LIMITS:
            value = getattr(self, field)
            if value is not None and not low <= value <= high:
                raise ConfigurationError(
                    f"{field} is {value}; it lies in [{low}, {high}]", field=field, value=value
                )
        return self


_LIMITS = (
    ("control", 0, 1),
    ("sure_control", 0, 1),
    ("sure_sd", 0, 100),
    ("unproven", 0, 1),
    ("proven_sd", 0, 10),
    ("own_scale", 0, 10),
    ("shared_scale", 0, 10),
    ("draws", 1, 10_000),
    ("recurring", 0, 1_000_000),
    ("still_trying", 0, 1),
    ("loss_budget", 0, 1),
)


class Choice(NamedTuple):
    """`propensity` of the chosen arm, `baseline_propensity` of the baseline, both before the choice was made; 0 where
    nobody knows how it was made. `baseline`: the arm that the caller would have used."""

    arm: int
    propensity: float
    baseline_propensity: float
    baseline: int = 0


def choose(
    believed: PatternPosterior,
    baseline: int,
    config: PolicyConfig,
    random: Random,
    refused: Collection[int] = (),
    preferred: int | None = None,
) -> Choice:
    """One arm that is not refused; the baseline never is. The same `random` state gives the same choice."""
    shares = propensities(believed, baseline, config, random, refused, preferred)
    point, arm = random.random(), baseline
    for candidate, share in shares.items():
        point -= share
        if point < 0:
            arm = candidate
            break
    return Choice(arm, shares[arm], shares[baseline], baseline)


def propensities(
    believed: PatternPosterior,
    baseline: int,
    config: PolicyConfig,
    random: Random,
    refused: Collection[int] = (),
    preferred: int | None = None,
) -> dict[int, float]:
    """The probability of each arm that has one, given the draws made from `random`; they sum to 1. The preferred
    arm gets all but `still_trying` and the control group."""
    arms = [arm for arm in range(len(believed.effects)) if arm not in refused or arm == baseline]
    proven = [arm for arm in arms if arm == baseline or is_proven(believed.lift(arm, baseline), config)]
    shares: defaultdict[int, float] = defaultdict(float)
    anybody = 1.0 if len(proven) == len(arms) else config.unproven
    for best, best_proven in _winners(believed, arms, frozenset(proven), config, random):
        shares[best] += anybody
        shares[best_proven] += 1 - anybody
    drawn = {arm: share / config.draws for arm, share in shares.items() if share}
    if preferred is not None and preferred in arms:
        drawn = {arm: share * config.still_trying for arm, share in drawn.items()}
        drawn[preferred] = drawn.get(preferred, 0.0) + 1 - config.still_trying
    return _with_control(drawn, baseline, _control(believed, arms, baseline, config))


def _control(believed: PatternPosterior, arms: Iterable[int], baseline: int, config: PolicyConfig) -> float:
    """The control group's share: it costs most where most is known."""
    best = max(arms, key=lambda arm: believed.effects[arm].mean)
    lift = believed.lift(best, baseline)
    is_sure = best != baseline and lift.mean > config.sure_sd * sqrt(lift.variance)
    return config.control * config.sure_control if is_sure else config.control


def is_proven(lift: Normal, config: PolicyConfig) -> bool:
    """Whether an arm is known to be as good as the baseline."""
    return lift.mean > config.proven_sd * sqrt(lift.variance)


def overdraws(lift: Normal, spent: float, operations: int, config: PolicyConfig, unit: float) -> bool:
    """Whether the arm, at its lower bound, would cost more than is left of the loss budget; `unit` is what one
    operation on the baseline is worth."""
    if config.loss_budget is None:
        return False
    loss = 1.96 * sqrt(lift.variance) - lift.mean
    return loss > 0 and spent + loss > config.loss_budget * (operations + 20) * unit


def _winners(
    believed: PatternPosterior,
    arms: Iterable[int],
    proven: Collection[int],
    config: PolicyConfig,
    random: Random,
) -> list[tuple[int, int]]:
    """The best arm of each draw, and the best proven one."""
    own_scale = config.own_scale * believed.visits / ((believed.visits + config.recurring) or 1)
    level_sd = own_scale * sqrt(believed.level.variance)
    normals, floor = [], -inf
    for arm in arms:
        mean, variance = believed.effects[arm]
        gain = believed.gains[arm]
        sd = sqrt(own_scale**2 * variance + config.shared_scale**2 * believed.shared[arm])
        reach = _FAR_SD * (sd + gain * level_sd)
        normals.append((mean, sd, gain, arm, mean + reach))
        if arm in proven:
            floor = max(floor, mean - reach)
    normals = [each for each in normals if each[-1] >= floor]
    if len(normals) == 1:
        return [(normals[0][3],) * 2] * config.draws
    gauss, winners = random.gauss, []
    for _ in range(config.draws):
        level = gauss(0.0, level_sd)
        drawn = [(gauss(mean, sd) - gain * level, arm) for mean, sd, gain, arm, _ in normals]
        best = max(drawn)[1]
        winners.append(
            (best, best if best in proven else max(each for each in drawn if each[1] in proven)[1])
        )
    return winners


def _with_control(shares: dict[int, float], baseline: int, control: float) -> dict[int, float]:
    """The shares, with as much of the baseline mixed in as it lacks: what the policy gives it by itself is
    randomised, too, and counts."""
    own = shares.get(baseline, 0.0)
    if own < control:
        kept = (1 - control) / (1 - own)
        shares = {arm: share * kept for arm, share in shares.items()}
        shares[baseline] = control
    shares.setdefault(baseline, 0.0)
    return shares
