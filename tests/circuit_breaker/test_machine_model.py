"""Any history at all: the machine and the slow model agree, and the invariants hold after each step."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Permit, Refusal, Transition
from featurememory.circuit_breaker.machine import BreakerMachine
from tests.circuit_breaker.model import SlowBreaker

KINDS: st.SearchStrategy[Kind] = st.sampled_from(["success", "failure", "failure", "ignored"])

DURATIONS = st.sampled_from([0.0, 0.0, 0.5, 2.0])
SLOW_MS = 500

OVERLAYS = {"force_open": "forced_open", "disable": "disabled", "only_measure": "metrics_only"}

CONFIGS = st.builds(
    lambda size, minimum, **others: BreakerConfig(
        window_size=size,
        minimum_calls=min(size, minimum),
        jitter=0,
        max_reset_timeout_ms=8_000,
        slow_call_duration_ms=SLOW_MS,
        **others,
    ),
    size=st.integers(1, 8),
    window_type=st.sampled_from(["count", "time"]),
    slow_call_rate_threshold=st.sampled_from([25, 60, 100]),
    max_half_open_ms=st.sampled_from([2_500, 60_000]),
    trip_quorum=st.sampled_from([1, 1, 2]),
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
            assert got.state == self.model.effective(self.now)
            return None
        assert (got.epoch, got.probe) == expected
        return got, expected

    @rule(permit=permits, kind=KINDS, duration_s=DURATIONS)
    def record(self, permit: tuple[Permit, tuple[int, int]] | None, kind: Kind, duration_s: float) -> None:
        if permit is None:
            return
        if kind == "success" and duration_s * 1_000 < SLOW_MS and permit[0] is self.machine.relaxed:
            next(permit[0].successes)
        else:
            self.heard += self.machine.record(permit[0], kind, self.now, duration_s)
        self.model.record(permit[1], kind, self.now, duration_s)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=6), duration_s=DURATIONS)
    def call_at_once(self, kinds: list[Kind], duration_s: float) -> None:
        for kind in kinds:
            self.record(self.admit(), kind, duration_s)

    @rule(
        kind=KINDS, ago=st.sampled_from([0.0, 0.25, 1.0, 5.0]), duration_s=DURATIONS, may_open=st.booleans()
    )
    def observe_by_time(self, kind: Kind, ago: float, duration_s: float, may_open: bool) -> None:
        self.heard += self.machine.observe(kind, self.now - ago, self.now, duration_s, may_open=may_open)
        self.model.observe(kind, self.now - ago, self.now, duration_s, None, 0, may_open)

    @rule(permit=permits, kind=KINDS, duration_s=DURATIONS)
    def observe_by_epoch(
        self, permit: tuple[Permit, tuple[int, int]] | None, kind: Kind, duration_s: float
    ) -> None:
        """What another process knew when it began, and the permit that it was given."""
        if permit is not None:
            epoch, probe = permit[1]
            self.heard += self.machine.observe(kind, 0.0, self.now, duration_s, epoch, probe)
            self.model.observe(kind, 0.0, self.now, duration_s, epoch, probe)

    @rule(by=st.sampled_from("abc"), behind=st.sampled_from([None, 0, 1]))
    def trip(self, by: str, behind: int | None) -> None:
        epoch = None if behind is None else self.machine.epoch - behind
        self.heard += self.machine.trip(by, "three failures in a row", self.now, epoch)
        self.model.trip(by, self.now, epoch)

    @rule(
        command=st.sampled_from(["force_open", "disable", "only_measure"]),
        lasts=st.sampled_from([None, None, 0.5, 3.0]),
    )
    def lay_over(self, command: str, lasts: float | None) -> None:
        until = None if lasts is None else self.now + lasts
        self.heard += getattr(self.machine, command)(self.now, until)
        self.model.lay(OVERLAYS[command], self.now, until)

    @rule()
    def release(self) -> None:
        self.heard += self.machine.release(self.now)
        self.model.lay(None, self.now)

    @rule()
    def reset(self) -> None:
        self.heard += self.machine.reset(self.now)
        self.model.reset(self.now)

    @rule()
    def settle(self) -> None:
        """Time alone decides no earlier than it said it would, and then at once."""
        due = self.machine.next_settlement() <= self.now
        moved = self.machine.settle(self.now)
        assert due or not moved
        self.heard += moved
        self.model.settle(self.now)

    @rule()
    def ask_whether_it_wants_a_probe(self) -> None:
        wants = self.machine.wants_probe(self.now)
        model = self.model
        due = model.state == "open" and self.now >= model.may_probe_at
        assert wants == (model.overlay_at(self.now) is None and (model.state == "half_open" or due))

    @rule()
    def feel(self) -> None:
        """Pressure that comes and goes before the next call leaves no trace."""
        before = self.machine.snapshot()
        self.machine.feel("memory at 97 %")
        refused = self.machine.admit(self.now) if self.model.effective(self.now) == "closed" else None
        if isinstance(refused, Refusal) and not refused.transitions:
            assert (refused.state, refused.detail) == ("overloaded", "memory at 97 %")
            assert self.machine.snapshot() == before
        elif refused is not None:
            self.heard += refused.transitions
            self.model.lapse(self.now)
        self.machine.feel("")

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
            model.effective(self.now),
            model.state,
            model.overlay_at(self.now),
        )
        assert status.epoch == model.epoch
        judged = model.back if model.state == "half_open" else model.window(self.now)
        assert (status.calls, status.failures, status.slow_calls) == (
            len(judged),
            sum(each.kind == "failure" for each in judged),
            sum(each.slow for each in judged),
        )
        if model.state == "open":
            assert status.may_probe_at == model.may_probe_at

    @invariant()
    def what_may_be_read_without_the_lock_is_true(self) -> None:
        assert (self.now < self.machine.shut_until) == (
            self.model.state == "open" and self.model.overlay is None and self.now < self.model.may_probe_at
        )

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
            self.was(self.heard[-1])

    def was(self, last: Transition) -> None:
        """The last transition told how it stands, but for an overlay whose time has passed since."""
        status = self.machine.status(self.now)
        assert last.computed_state == status.computed_state
        assert last.to_state == (self.model.overlay or status.computed_state)

    def teardown(self) -> None:
        """Left alone it is never stuck: unless an operator holds it, somebody is admitted soon."""
        if hasattr(self, "machine") and self.machine.status(self.now).overlay != "forced_open":
            waits = range(80)
            assert any(isinstance(self.machine.admit(self.now + wait), Permit) for wait in waits)


AnyHistory.TestCase.settings = settings(max_examples=250, stateful_step_count=60, deadline=None)
TestAnyHistory = AnyHistory.TestCase
