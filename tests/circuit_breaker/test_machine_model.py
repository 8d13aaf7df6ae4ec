"""Any history at all: the machine and the slow model agree, and the invariants hold after each step."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Permit, Transition
from featurememory.circuit_breaker.machine import BreakerMachine
from tests.circuit_breaker.model import SlowBreaker

KINDS: st.SearchStrategy[Kind] = st.sampled_from(["success", "failure", "failure", "ignored"])

CONFIGS = st.builds(
    lambda size, minimum, **others: BreakerConfig(
        window_size=size, minimum_calls=min(size, minimum), jitter=0, max_reset_timeout_ms=8_000, **others
    ),
    size=st.integers(1, 8),
    minimum=st.integers(1, 8),
    max_failures=st.integers(0, 4),
    failure_rate_threshold=st.sampled_from([1, 25, 50, 75, 100]),
    reset_timeout_ms=st.sampled_from([1_000, 3_000]),
    half_open_permits=st.integers(1, 4),
    half_open_timeout_ms=st.sampled_from([1_000, 2_500]),
)


class AnyHistory(RuleBasedStateMachine):
    permits = Bundle("permits")

    @initialize(config=CONFIGS)
    def begin(self, config: BreakerConfig) -> None:
        self.config = config
        self.machine = BreakerMachine(config)
        self.model = SlowBreaker(config)
        self.now = 100.0
        self.heard: list[Transition] = []

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def admit(self) -> tuple[Permit, tuple[int, int]] | None:
        got, expected = self.machine.admit(self.now), self.model.admit(self.now)
        self.heard += got.transitions
        if not isinstance(got, Permit):
            assert expected is None
            assert got.state == self.model.effective
            return None
        assert (got.epoch, got.probe) == expected
        return got, expected

    @rule(permit=permits, kind=KINDS)
    def record(self, permit: tuple[Permit, tuple[int, int]] | None, kind: Kind) -> None:
        if permit is None:
            return
        if kind == "success" and permit[0] is self.machine.relaxed:
            next(permit[0].successes)
        else:
            moved = self.machine.record(permit[0], kind, self.now)
            self.heard += () if moved is None else (moved,)
        self.model.record(permit[1], kind, self.now)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=6))
    def call_at_once(self, kinds: list[Kind]) -> None:
        for kind in kinds:
            self.record(self.admit(), kind)

    @rule(kind=KINDS, ago=st.sampled_from([0.0, 0.25, 1.0, 5.0]))
    def observe(self, kind: Kind, ago: float) -> None:
        self.heard += self.machine.observe(kind, self.now - ago, self.now)
        self.model.observe(kind, self.now - ago, self.now)

    @rule(command=st.sampled_from(["force_open", "disable", "release", "reset"]))
    def command(self, command: str) -> None:
        self.heard += getattr(self.machine, command)(self.now)
        if command == "reset":
            self.model.reset(self.now)
        else:
            self.model.lay({"force_open": "forced_open", "disable": "disabled"}.get(command), self.now)

    @rule()
    def save_and_restore(self) -> None:
        snapshot = json.loads(json.dumps(self.machine.snapshot()))
        self.machine = BreakerMachine.restore(self.config, snapshot)
        assert self.machine.snapshot() == snapshot

    @invariant()
    def they_agree(self) -> None:
        before = self.machine.snapshot()
        status = self.machine.status(self.now)
        assert self.machine.snapshot() == before, "reading changed something"
        model = self.model
        assert (status.state, status.computed_state, status.overlay) == (
            model.effective,
            model.state,
            model.overlay,
        )
        assert status.epoch == model.epoch
        judged = model.back if model.state == "half_open" else model.window
        assert (status.calls, status.failures) == (len(judged), judged.count("failure"))
        if model.state == "open":
            assert status.may_probe_at == model.may_probe_at

    @invariant()
    def no_more_probes_are_out_than_permitted(self) -> None:
        assert self.machine.status(self.now).permits_in_use <= self.config.half_open_permits

    @invariant()
    def each_transition_is_told_once_and_in_order(self) -> None:
        assert [each.epoch for each in self.heard] == list(range(1, self.machine.epoch + 1))
        for earlier, later in zip(self.heard, self.heard[1:], strict=False):
            assert earlier.to_state == later.from_state
            assert earlier.at <= later.at
        if self.heard:
            assert self.heard[-1].to_state == self.machine.state

    def teardown(self) -> None:
        """Left alone it is never stuck: unless an operator holds it, somebody is admitted soon."""
        if hasattr(self, "machine") and self.machine.status(self.now).overlay != "forced_open":
            waits = range(40)
            assert any(isinstance(self.machine.admit(self.now + wait), Permit) for wait in waits)


AnyHistory.TestCase.settings = settings(max_examples=250, stateful_step_count=60, deadline=None)
TestAnyHistory = AnyHistory.TestCase
