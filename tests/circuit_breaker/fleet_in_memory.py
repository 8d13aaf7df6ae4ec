"""A fleet without network, database or threads: one server for one breaker, and the SDK's breakers of some processes.

The server's state machine, the SDK's breakers, what they say of each other and how they follow are the real ones. In
memory are: the breaker's row, the sequence, the stream, and what is under way between them. Time is what a test says.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isinf
from typing import Any, NamedTuple, Protocol

from featurememory.circuit_breaker.config import BreakerConfig
from featurememory.circuit_breaker.events import Kind, Permit, Refusal, Transition
from featurememory.circuit_breaker.machine import BreakerMachine
from featurememory.circuit_breaker.permits import permit_text, read_permit
from featurememory.live.events import view_breaker, view_configuration, view_transition
from featurememory.models import Breaker, BreakerConfiguration, BreakerEvent
from featurememory.sdk.breakers import Breakers
from featurememory.sdk.fleet_news import BreakerNews, Layers
from featurememory.sdk.permits import Grant, _grant

NAME = "a"
BEGIN_S = 1_800_000_000.0
"""The server's clock when a history begins."""


class Told(NamedTuple):
    """One event of the stream, as it was written to it."""

    sequence: int
    kind: str
    data: dict[str, Any]


class Answer(NamedTuple):
    """To whoever asks for a permit."""

    allowed: bool
    state: str
    retry_after_ms: float | None
    permit: str


class Report(NamedTuple):
    """One finished call, as a process reports it; `started_at` by its wall clock."""

    permit: str
    kind: Kind
    started_at: float
    duration_s: float


class Server(Protocol):
    """What processes and operators find."""

    config: BreakerConfig

    @property
    def now(self) -> float: ...

    @property
    def machine(self) -> BreakerMachine:
        """As it is stored; a copy."""

    def ask(self) -> Answer: ...

    def take(self, reports: Sequence[Report]) -> None: ...

    def take_trip(self, instance: str, message: str, epoch: int | None) -> None: ...

    def command(self, action: str, until: float | None = None) -> None: ...

    def configure(self, values: dict[str, Any]) -> None: ...

    def settle(self) -> None: ...

    def restart(self) -> None: ...

    def forget_events(self) -> None: ...

    def events_after(self, sequence: int) -> list[Told]: ...

    def opening(self, seen: int | None, behind: int = 0) -> list[Told]:
        """What a stream begins with: what was missed since `seen`, or how all stands, and after it what happened
        `behind` events ago or less, which that shows already: nobody stops the world for a snapshot."""


class ServerInMemory:
    """Storage, ingestion, commands, permits and reports for one breaker, on a row that is only kept here."""

    def __init__(self, config: BreakerConfig, clock: Callable[[], float]) -> None:
        self.config = self._effective = config
        self._clock = clock
        began = _moment(clock())
        self.row = Breaker(
            name=NAME, operation_type=NAME, config=config.to_mapping(), changed_at=began, created_at=began
        )
        self.sequence = 0
        self.events: list[BreakerEvent | BreakerConfiguration] = []
        self._oldest = 0
        self._kept: tuple[int, BreakerMachine] | None = None

    @property
    def now(self) -> float:
        return self._clock()

    @property
    def machine(self) -> BreakerMachine:
        if not self.row.machine:
            return BreakerMachine(self._effective)
        return BreakerMachine.restore(self._effective, self.row.machine)

    def ask(self) -> Answer:
        machine = self.machine
        answer = machine.admit(self.now)
        if answer.transitions or (isinstance(answer, Permit) and answer.probe):
            self._keep(machine, answer.transitions)
        if isinstance(answer, Refusal):
            return Answer(False, answer.state, answer.retry_after_ms, "")
        return Answer(True, machine.state(self.now), None, permit_text(answer.epoch, answer.probe))

    def take(self, reports: Sequence[Report]) -> None:
        """The writer goes on with the machine that it has, where nobody else has written since."""
        machine = self.machine
        if self._kept is not None and self._kept[0] == self.row.revision:
            machine = self._kept[1]
        transitions: list[Transition] = []
        for each in sorted(reports, key=lambda each: each.started_at + each.duration_s):
            started_at = min(each.started_at, self.now - each.duration_s)
            epoch, probe = read_permit(each.permit)
            transitions += machine.observe(each.kind, started_at, self.now, each.duration_s, epoch, probe)
        self._keep(machine, transitions)
        self._kept = self.row.revision, machine

    def take_trip(self, instance: str, message: str, epoch: int | None) -> None:
        machine = self.machine
        self._keep(machine, machine.trip(instance, message, self.now, epoch))

    def command(self, action: str, until: float | None = None) -> None:
        machine = self.machine
        if action in ("reset", "release"):
            moved = getattr(machine, action)(self.now)
        else:
            moved = getattr(machine, action)(self.now, until)
        self._keep(machine, moved, actor="olga")

    def configure(self, values: dict[str, Any]) -> None:
        self.row.config = self.config.to_mapping() | values
        self._effective = BreakerConfig.from_mapping(self.row.config)
        self.row.revision += 1
        self.sequence += 1
        self.events.append(
            BreakerConfiguration(
                scope="breaker",
                name=NAME,
                values=values,
                sequence=self.sequence,
                changed_at=_moment(self.now),
            )
        )

    def settle(self) -> None:
        """The job."""
        if self.row.due_at is not None and self.row.due_at <= _moment(self.now):
            machine = self.machine
            self._keep(machine, machine.settle(self.now))

    def restart(self) -> None:
        self._kept = None

    def forget_events(self) -> None:
        """The oldest go first."""
        self._oldest = self.sequence

    def events_after(self, sequence: int) -> list[Told]:
        return [self._told(each) for each in self.events if each.sequence > sequence]

    def opening(self, seen: int | None, behind: int = 0) -> list[Told]:
        self.settle()  # as the job does each second
        if seen is not None and self._oldest <= seen <= self.sequence:
            return self.events_after(seen)
        now = _moment(self.now)
        layers = [each for each in self.events if isinstance(each, BreakerConfiguration)][-1:]
        sequence = max(self.sequence - behind, 0)
        data = {
            "sequence": sequence,
            "breakers": [view_breaker(self.row, now).model_dump(mode="json")],
            "configurations": [view_configuration(each).model_dump(mode="json") for each in layers],
        }
        return [Told(sequence, "snapshot", data), *self.events_after(sequence)]

    def _told(self, event: BreakerEvent | BreakerConfiguration) -> Told:
        if isinstance(event, BreakerConfiguration):
            return Told(event.sequence, "configuration", view_configuration(event).model_dump(mode="json"))
        view = view_transition(event, _moment(self.now))
        return Told(event.sequence, "transition", view.model_dump(mode="json", by_alias=True))

    def _keep(self, machine: BreakerMachine, transitions: Sequence[Transition], actor: str = "") -> None:
        row = self.row
        for each in transitions:
            self.sequence += 1
            row.version = self.sequence
            self.events.append(_event(row, each, self.sequence, actor))
        row.machine = json.loads(json.dumps(machine.snapshot()))
        row.revision += 1
        due = machine.next_settlement()
        row.due_at = None if isinf(due) else _moment(due)
        if transitions:
            last = transitions[-1]
            row.state, row.computed_state, row.epoch = last.to_state, last.computed_state, last.epoch
            row.changed_at = _moment(last.at)


def _event(row: Breaker, moved: Transition, sequence: int, actor: str) -> BreakerEvent:
    return BreakerEvent(
        sequence=sequence,
        breaker=row,
        name=row.name,
        from_state=moved.from_state,
        to_state=moved.to_state,
        computed_state=moved.computed_state,
        cause=moved.cause,
        message=moved.message,
        actor=actor,
        epoch=moved.epoch,
        counts=dict(moved.counts),
        retry_after_ms=moved.retry_after_ms,
        overlay_until=None if moved.overlay_until is None else _moment(moved.overlay_until),
        at=_moment(moved.at),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(eq=False)
class Call:
    """A call under way. `emptied` is how often its process's window had been emptied when it began."""

    process: Process
    permit: Permit
    reported_as: str
    started_at: float
    began: float
    emptied: int


@dataclass(eq=False)
class Process:
    """One process: its breakers, its two clocks, its stream, and what it has to report."""

    name: str
    server: Server
    clock: Callable[[], float]
    """True time in seconds."""
    booted_s: float
    """What its monotonic clock is ahead of true time."""
    wall_s: float
    """What its wall clock is ahead of the server's; steps."""
    resets: list[int]
    """The versions that operators' resets have made."""
    inbox: deque[Told] | None = None
    """What the stream carries; None without one."""
    is_cut_off: bool = False
    loses_the_next_answer: bool = False
    while_asking: Callable[[], object] | None = None
    """Happens between the fleet's answer and its arrival."""
    has_asked: bool = False
    seen: int | None = None
    answered: Grant | None = None
    """What the fleet answered to the call that began last."""
    reports: deque[Report] = field(default_factory=deque)
    trips: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    moves: list[Transition] = field(default_factory=list)
    """All that its breaker did by itself."""
    transitions: list[Transition] = field(default_factory=list)
    """All that its breaker did."""

    def __post_init__(self) -> None:
        self.breakers = Breakers(self.server.config, 10, clock=self.monotonic)
        self.breakers.on_move = self._moved
        self.breakers.listen(lambda _, transition: self._listened(transition))
        self.breaker = self.breakers[NAME]
        self.version: int | None = None
        self.epoch: int | None = None
        self.overlay: tuple[str, float | None] | None = None
        self.deviates = False
        self.emptied = self.failures = 0
        self.flaps = False
        """Whether it moved by what it knew already."""
        self.running: list[Call] = []
        self.opened_wrongly: list[Transition] = []
        """By more failures than there were in its epoch."""

    def monotonic(self) -> float:
        return self.clock() + self.booted_s

    def wall(self) -> float:
        return BEGIN_S + self.clock() + self.wall_s

    # Calls

    def begin(self) -> Call | Refusal:
        self.answered, self.has_asked = None, False
        answer = self.breaker.admit()
        if isinstance(answer, Refusal):
            return answer
        epoch = self.breaker.fleet_epoch
        reported_as = answer.token or ("" if epoch is None else str(epoch))
        call = Call(self, answer, reported_as, self.wall(), self.monotonic(), self.emptied)
        self.running.append(call)
        return call

    def finish(self, call: Call, kind: Kind) -> None:
        self.running.remove(call)
        duration_s = self.monotonic() - call.began
        if kind == "failure" and call.emptied == self.emptied:
            self.failures += 1
        self.breaker.record(call.permit, kind, duration_s)
        self.reports.append(Report(call.reported_as, kind, call.started_at, duration_s))

    def ask(self, breaker: str) -> Grant | None:
        """As the SDK asks over the network."""
        self.has_asked = True
        if self.is_cut_off:
            return None
        answer = self.server.ask()
        if self.while_asking is not None:
            self.while_asking()
        if self.loses_the_next_answer:
            return None
        self.answered = _grant(json.loads(json.dumps(answer._asdict())))
        return self.answered

    # The stream

    def connect(self, behind: int = 0) -> None:
        """A new stream, from where the last one ended."""
        self.is_cut_off = False
        self.inbox = deque(self.server.opening(self.seen, behind))
        self.breakers.fleet = self

    def cut(self, *, noticed: bool) -> None:
        """Nothing gets through any more; what was under way in the stream is lost."""
        self.is_cut_off = True
        self.inbox = None
        if noticed:
            self.breakers.fleet = None

    def hear_all(self) -> None:
        while self.inbox:
            self.hear(self.inbox.popleft())

    def hear(self, told: Told) -> None:
        data = json.loads(json.dumps(told.data))
        if told.kind == "configuration":
            self.breakers.hear_configuration(data["scope"], data["name"], data["values"])
        elif told.kind == "snapshot":
            (shown,) = data["breakers"]
            news = BreakerNews.of_snapshot(shown, self.monotonic())
            known, before = self.epoch, self.computed_state
            self._note(news, shown.get("overlay_remaining_ms"))
            self.breakers.hear_all([news], Layers.of_snapshot(data["configurations"]))
            self.flaps |= known == news.epoch and before != self.computed_state
        else:
            news = BreakerNews.of_transition(data, self.monotonic())
            self._note(news, data["overlay_remaining_ms"])
            self.breakers.hear(news)
        self.seen = told.sequence

    def _note(self, news: BreakerNews, remaining_ms: float | None) -> None:
        """What has to hold here from now on."""
        if self.version is not None and news.version <= self.version and not news.is_snapshot:
            return
        assert self.version is None or news.version >= self.version, "the server went back"
        if self.version is not None and any(self.version < each <= news.version for each in self.resets):
            self.emptied += 1
            self.failures = 0
        if self.epoch is None:
            self.deviates = news.computed_state == "closed" and self.computed_state != "closed"
        elif news.epoch > self.epoch:
            self.deviates = False
        self.version, self.epoch = news.version, news.epoch
        ends = None if remaining_ms is None else self.monotonic() + remaining_ms / 1_000
        held = news.state in ("forced_open", "disabled", "metrics_only")
        self.overlay = (news.state, ends) if held else None

    @property
    def held(self) -> str | None:
        """What an operator laid over it, by what was heard."""
        if self.overlay is None:
            return None
        state, ends = self.overlay
        return None if ends is not None and self.monotonic() >= ends else state

    # Reports

    @property
    def computed_state(self) -> str:
        return self.breaker.status().computed_state

    def _moved(self, name: str, transition: Transition, fleet_epoch: int | None) -> None:
        self.deviates = True
        self.moves.append(transition)
        if transition.computed_state == "open":
            self.trips[name] = transition.message, fleet_epoch
        else:
            self.trips.pop(name, None)

    def _listened(self, transition: Transition) -> None:
        self.transitions.append(transition)
        by_failures = transition.cause in ("max_failures", "failure_rate")
        if by_failures and transition.counts["failures"] > self.failures:
            self.opened_wrongly.append(transition)
        if transition.computed_state == "closed" and transition.cause in (
            "reset",
            "fleet",
            "probes_succeeded",
        ):
            self.emptied += 1
            self.failures = 0
