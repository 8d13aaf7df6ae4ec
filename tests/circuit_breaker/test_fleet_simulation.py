"""Any history of a fleet: news delayed and cut off, reports late and lost, clocks that differ and step, a server that
begins again, operators. The invariants hold after each step; once all is delivered everybody agrees, and nobody is
stuck.

Their numbers are those of the rules they stand for: who may be admitted (1), what counts (3), silence (4, 5, 12),
clocks (6), operators (10), agreement (11), one event per transition (13), a process alone (14).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Refusal
from tests.circuit_breaker.fleet_in_memory import (
    BEGIN_S,
    Answer,
    Call,
    Process,
    Report,
    Server,
    ServerInMemory,
)

OVERLAYS = {"force_open": "forced_open", "disable": "disabled", "only_measure": "metrics_only"}
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["success", "success", "failure", "ignored"])
PROCESSES = st.integers(0, 2)
TROUBLES = st.sampled_from(["", "", "its answer is lost", "it hears meanwhile", "an operator acts meanwhile"])

CONFIGS = st.builds(
    lambda **settings: BreakerConfig(**settings),
    max_failures=st.integers(1, 3),
    window_size=st.just(4),
    minimum_calls=st.integers(2, 4),
    failure_rate_threshold=st.sampled_from([50, 100]),
    half_open_permits=st.integers(1, 3),
    half_open_timeout_ms=st.sampled_from([2_000, 5_000]),
    max_half_open_ms=st.sampled_from([5_000, 8_000]),
    max_reset_timeout_ms=st.just(8_000),
    jitter=st.just(0),
    trip_quorum=st.sampled_from([1, 1, 2]),
)


class AnyFleet(RuleBasedStateMachine):
    calls = Bundle("calls")
    permits = Bundle("permits")

    def server_of(self, config: BreakerConfig) -> Server:
        return ServerInMemory(config, lambda: self.server_clock)

    @initialize(config=CONFIGS, wall_s=st.lists(st.sampled_from([3_600, 0, -3_600]), min_size=3, max_size=3))
    def begin(self, config: BreakerConfig, wall_s: list[float]) -> None:
        self.time = 0.0
        self.config = config
        self.server = self.server_of(config)
        self.granted: dict[str, float] = {}
        """When each probe of the fleet was admitted that the server has not heard of."""
        self.laid: tuple[str | None, float | None] = None, None
        """What the last command that was acknowledged has laid over the breaker, and until when."""
        self.published = 0
        self.resets: list[int] = []
        self.told: list[dict[str, Any]] = []
        self.processes = [
            Process(f"gpu-{number}", _Watched(self), lambda: self.time, 1_000.0 * number, ahead, self.resets)
            for number, ahead in enumerate(wall_s)
        ]
        for process in self.processes[:-1]:  # the last has yet to find the server
            process.connect()

    @property
    def server_clock(self) -> float:
        return BEGIN_S + self.time

    def publish(self) -> None:
        """The stream: everybody who has one, in order."""
        for event in self.server.events_after(self.published):
            self.published = event.sequence
            if event.kind == "transition":
                self.told.append(event.data)
            for process in self.processes:
                if process.inbox is not None:
                    process.inbox.append(event)

    # Time, clocks, the network

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 1.0, 2.5, 9.0]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @rule(
        process=PROCESSES,
        what=st.sampled_from(
            ["cut", "cut unnoticed", "connect", "connect anew", "connect anew", "wall clock"]
        ),
        behind=st.integers(0, 3),
        hears=st.booleans(),
    )
    def network(self, process: int, what: str, behind: int, hears: bool) -> None:
        if what == "wall clock":
            self.processes[process].wall_s += 7_200.0 * (-1) ** behind
        elif what in ("connect", "connect anew"):
            if what == "connect anew":  # it did not understand what it read last
                self.processes[process].seen = None
            self.processes[process].connect(behind)
            if hears:
                self.processes[process].hear_all()
        else:
            self.processes[process].cut(noticed=what == "cut")

    @rule(process=PROCESSES, how_many=st.integers(1, 5))
    def hear(self, process: int, how_many: int) -> None:
        inbox = self.processes[process].inbox
        for _ in range(min(how_many, len(inbox or ()))):
            assert inbox is not None
            self.processes[process].hear(inbox.popleft())

    @rule()
    def everybody_hears(self) -> None:
        for process in self.processes:
            process.hear_all()

    # Calls

    @rule(target=calls, process=PROCESSES, how_many=st.integers(1, 4), trouble=TROUBLES)
    def begin_calls(self, process: int, how_many: int, trouble: str) -> Any:
        return multiple(*self.begun_in_trouble(self.processes[process], how_many, trouble))

    @rule(target=calls, some=st.sets(PROCESSES, min_size=1), how_many=st.integers(1, 2), trouble=TROUBLES)
    def the_time_out_is_over(self, some: set[int], how_many: int, trouble: str) -> Any:
        may_probe_at = self.server.machine.status(self.server.now).may_probe_at
        self.time += max(0.0, (may_probe_at or 0.0) - self.server.now)
        processes = [self.processes[number] for number in sorted(some)]
        return multiple(
            *[call for each in processes for call in self.begun_in_trouble(each, how_many, trouble)]
        )

    def begun_in_trouble(self, process: Process, how_many: int, trouble: str) -> list[Call]:
        process.loses_the_next_answer = trouble == "its answer is lost"
        if trouble == "it hears meanwhile":
            process.while_asking = process.hear_all
        elif trouble == "an operator acts meanwhile":
            process.while_asking = lambda: (self.command("force_open", None), process.hear_all())
        begun = [self.begun(process) for _ in range(how_many)]
        process.loses_the_next_answer, process.while_asking = False, None
        return [call for call in begun if call is not None]

    def begun(self, process: Process) -> Call | None:
        forced, before = process.held == "forced_open", process.breaker.status()
        call = process.begin()
        answered = process.answered
        if isinstance(call, Refusal):
            assert before.state not in ("closed", "disabled", "metrics_only")
            return None
        assert not forced, "1: admitted while forced open"
        assert process.held != "forced_open", "1: admitted after it heard that it is forced open"
        probes = before.overlay is None and before.computed_state != "closed"
        assert not probes or process.has_asked or process.breakers.fleet is None, "1: it did not ask"
        if probes and answered is not None:
            is_probe = "." in answered.permit
            assert not is_probe or call.permit.token == answered.permit or process.computed_state == "closed"
            assert answered.allowed or process.computed_state == "closed", "1: a probe that the fleet refused"
        return call

    @rule(call=consumes(calls), kind=KINDS)
    def finish_call(self, call: Call, kind: Kind) -> None:
        call.process.finish(call, kind)

    @rule(process=PROCESSES, kinds=st.lists(KINDS, min_size=1, max_size=4))
    def call_at_once(self, process: int, kinds: list[Kind]) -> None:
        for kind in kinds:
            self.call(self.processes[process], kind)

    @rule(some=st.sets(PROCESSES, min_size=1), tells=st.booleans())
    def the_model_is_down(self, some: set[int], tells: bool) -> None:
        for number in sorted(some):
            for _ in range(3):
                self.call(self.processes[number], "failure")
        if tells:
            self.everybody_reports()

    def call(self, process: Process, kind: Kind) -> None:
        call = self.begun(process)
        if call is not None:
            process.finish(call, kind)

    @rule(target=permits)
    def ask_without_the_sdk(self) -> Any:
        answer = self.ask()
        return answer.permit if answer.allowed else multiple()

    @rule(permit=permits, kind=KINDS, wall_s=st.sampled_from([-100.0, 0.0, 100.0]))
    def report_without_the_sdk(self, permit: str, kind: Kind, wall_s: float) -> None:
        """Also again, with a permit that was used."""
        self.take(Report(permit, kind, self.server_clock + wall_s, 0.1))

    # What processes report

    @rule(process=PROCESSES, how_many=st.integers(0, 6), is_lost=st.sampled_from([False, False, False, True]))
    def deliver_reports(self, process: int, how_many: int, is_lost: bool) -> None:
        reports = self.processes[process].reports
        for _ in range(min(how_many, len(reports))):
            report = reports.popleft()
            if not is_lost:
                self.take(report)

    @rule(process=PROCESSES, again=st.booleans())
    def deliver_trips(self, process: int, again: bool) -> None:
        """`again`: the answer was lost, so it is told once more."""
        for name, (message, epoch) in list(self.processes[process].trips.items()):
            self.trip(self.processes[process], message, epoch)
            if not again:
                del self.processes[process].trips[name]

    @rule()
    def everybody_reports(self) -> None:
        for number, process in enumerate(self.processes):
            self.deliver_trips(number, again=False)
            self.deliver_reports(number, len(process.reports), is_lost=False)

    def trip(self, process: Process, message: str, epoch: int | None) -> None:
        late = epoch is not None and epoch < self.server.machine.epoch
        before = self.computed
        self.server.take_trip(process.name, message, epoch)
        self.publish()
        assert not late or self.computed == before, "10: a trip of an older epoch moved it"

    def ask(self) -> Answer:
        answer = self.server.ask()
        self.publish()
        if "." in answer.permit:
            assert answer.permit not in self.granted, "2: a permit was given twice"
            self.granted[answer.permit] = self.server.now
        return answer

    def take(self, report: Report) -> None:
        before = self.server.machine
        is_due = before.next_settlement() <= self.server.now
        late = report.permit and int(report.permit.partition(".")[0]) < before.epoch
        self.server.take([report])
        self.granted.pop(report.permit, None)
        self.publish()
        if late and not is_due:
            assert self.server.machine.snapshot() == before.snapshot(), (
                "3: a result of an older epoch counted"
            )

    # Operators and the server

    @rule(
        action=st.sampled_from(["reset", "reset", "release", "release", *OVERLAYS]),
        lasts=st.sampled_from([None, 1.0, 6.0]),
    )
    def command(self, action: str, lasts: float | None) -> None:
        until = None if lasts is None else self.server.now + lasts
        self.server.command(action, until)
        self.laid = (OVERLAYS[action], until) if action in OVERLAYS else (None, None)
        self.publish()
        if action == "reset":
            assert self.computed == "closed", "10"
            self.resets.append(self.server_version)

    @rule(what=st.sampled_from(["job", "job", "job", "configure", "restart", "restart with little memory"]))
    def server_works(self, what: str) -> None:
        if what == "job":
            self.server.settle()
        elif what == "configure":
            before = self.server.machine.state(self.server.now)
            self.server.configure({"max_failures": 1})
            assert self.server.machine.state(self.server.now) == before, "9: a setting alone moved it"
        else:
            self.server.restart()
            if what == "restart with little memory":
                self.server.forget_events()
            for process in self.processes:
                if process.inbox is not None:
                    process.cut(noticed=True)
        self.publish()

    # What always holds

    @property
    def computed(self) -> str:
        return self.server.machine.status(self.server.now).computed_state

    @invariant()
    def no_more_probes_are_out_than_permitted(self) -> None:
        machine, timeout_s = self.server.machine, self.config.half_open_timeout_ms / 1_000
        out = [
            permit
            for permit, at in self.granted.items()
            if int(permit.partition(".")[0]) == machine.epoch and at + timeout_s > self.server.now
        ]
        assert len(out) <= self.config.half_open_permits, "1"
        assert machine.status(self.server.now).permits_in_use <= len(out), "2: one did not come back"
        for process in self.processes:
            status = process.breaker.status()
            own = [
                call for call in process.running if call.permit.probe and call.permit.epoch == status.epoch
            ]
            assert status.permits_in_use <= min(len(own), self.config.half_open_permits), "1, 2"

    @invariant()
    def nobody_opens_by_what_was_admitted_before(self) -> None:
        assert not any(process.opened_wrongly for process in self.processes), "3"

    @invariant()
    def operators_are_obeyed(self) -> None:
        overlay, until = self.laid
        over = until is not None and self.server.now >= until
        assert self.server.machine.status(self.server.now).overlay == (None if over else overlay), "10"
        for process in self.processes:
            assert process.breaker.status().overlay == process.held, "10"

    @invariant()
    def who_has_heard_the_same_shows_the_same(self) -> None:
        by_version = {each["version"]: each["computed_state"] for each in self.told}
        for process in self.processes:
            if process.version is not None and not process.deviates:
                assert process.computed_state == by_version.get(process.version, "closed"), "11"
            assert not process.flaps, "14"

    @invariant()
    def each_transition_is_told_once_and_in_order(self) -> None:
        assert [each["epoch"] for each in self.told] == list(range(1, len(self.told) + 1)), "13"
        for before, after in pairwise(self.told):
            assert before["version"] < after["version"]
            assert before["to"] == after["from"]
        for process in self.processes:
            epochs = [each.epoch for each in process.transitions]
            assert epochs == list(range(1, len(epochs) + 1)), "13"
            for earlier, later in pairwise(process.transitions):
                assert earlier.to_state == later.from_state

    @invariant()
    def who_opens_after_it_was_closed_waits_no_longer_than_at_first(self) -> None:
        most = self.config.reset_timeout_ms
        for before, after in pairwise(self.told):
            if before["to"] == "closed" and after["to"] == "open":
                assert after["retry_after_ms"] <= most + 0.001, "12"
        for process in self.processes:
            for earlier, later in pairwise(process.transitions):
                if earlier.to_state == "closed" and later.to_state == "open" and later.cause != "fleet":
                    assert later.retry_after_ms is not None
                    assert later.retry_after_ms <= most + 0.001, "12"

    # In the end

    def teardown(self) -> None:
        if hasattr(self, "processes"):
            self.those_who_are_alone_recover_alone()
            self.all_agree_when_all_is_delivered()
            self.nobody_is_stuck()
            self.after_a_reset_silence_changes_nothing()

    def those_who_are_alone_recover_alone(self) -> None:
        for process in self.processes:
            if process.breakers.fleet is not None or process.held is not None:
                continue
            for _ in range(20):
                self.time += 2.0
                self.succeed(process)
            assert process.computed_state == "closed", "14"

    def all_agree_when_all_is_delivered(self) -> None:
        for process in self.processes:
            process.connect()
        self.server.settle()
        self.deliver()
        for process in self.processes:
            assert process.version == self.server_version or not self.told, "11"
            assert process.breaker.fleet_epoch == self.server.machine.epoch
        self.operators_are_obeyed()
        self.who_has_heard_the_same_shows_the_same()

    def nobody_is_stuck(self) -> None:
        self.command("release", None)
        for _ in range(12):
            self.time += 9.0
            self.server.settle()
            self.deliver()
            for process in self.processes:
                self.succeed(process)
                self.deliver()
            if {self.computed} | {process.computed_state for process in self.processes} == {"closed"}:
                return
        raise AssertionError("5, 11: somebody does not close, though all calls succeed")

    def after_a_reset_silence_changes_nothing(self) -> None:
        late = [process.begin() for process in self.processes]
        self.deliver()
        self.command("reset", None)
        self.deliver()
        epoch = self.server.machine.epoch
        for call in late:
            assert isinstance(call, Call)
            call.process.finish(call, "failure")
        self.deliver()
        self.time += 3_600.0
        self.server.settle()
        self.deliver()
        status = self.server.machine.status(self.server.now)
        assert (status.state, status.epoch, status.calls) == ("closed", epoch, 0), "3, 12"
        for process in self.processes:
            shown = process.breaker.status()
            assert (shown.state, shown.calls) == ("closed", 0), "3, 12"

    @property
    def server_version(self) -> int:
        return max((each["version"] for each in self.told), default=0)

    def succeed(self, process: Process) -> None:
        for _ in range(self.config.half_open_permits):
            call = self.begun(process)
            if call is not None:
                process.finish(call, "success")

    def deliver(self) -> None:
        """All that is under way, until nothing is."""
        self.publish()
        while any(each.inbox or each.trips or each.reports for each in self.processes):
            self.everybody_hears()
            self.everybody_reports()


class _Watched:
    """The server as processes find it: whatever they ask is published and accounted for."""

    def __init__(self, fleet: AnyFleet) -> None:
        self._fleet = fleet
        self.config = fleet.config

    def ask(self) -> Answer:
        return self._fleet.ask()

    def opening(self, seen: int | None, behind: int = 0) -> Any:
        opening = self._fleet.server.opening(seen, behind)
        self._fleet.publish()
        return opening


AnyFleet.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestAnyFleet = AnyFleet.TestCase
