"""Threads inside the host: one at a time, and again when they are gone."""

from __future__ import annotations

from threading import Event, Thread, active_count
from time import monotonic

import pytest

from featurememory import FeatureMemory
from featurememory.sdk.background import BackgroundThread
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_runs_once_at_a_time_and_again_when_it_has_ended() -> None:
    background, begun, go_on = BackgroundThread("test", retry_s=0), list[Event](), Event()

    def work() -> None:
        begun[-1].set()
        assert go_on.wait(10)
        if len(begun) == 1:
            raise SystemExit

    for _ in range(2):
        begun.append(Event())
        go_on.clear()
        assert background.start(work) == ""
        assert begun[-1].wait(10)
        assert background.running
        before = active_count()
        assert background.start(work) == ""
        assert active_count() == before
        go_on.set()
        background.join(10)
        assert not background.running


def no_thread(_: Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_system_is_not_asked_for_a_thread_with_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thread, "start", no_thread)
    background = BackgroundThread("test", retry_s=3_600)
    assert background.start(lambda: None) == "can't start new thread"
    assert background.start(lambda: None) == ""
    assert not background.alive


def test_without_threads_the_host_goes_on_and_says_why_nothing_is_sent(
    make_memory: MakeMemory, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", no_thread)
        memory = make_memory(follow_breakers=True)
        record(memory)
        assert "can't start new thread" in memory.stats().last_error
        assert (memory.stats().buffered, memory.following) == (1, False)
    deadline = monotonic() + 10
    while not memory.flush(0.1):
        assert monotonic() < deadline, "no thread was started any more"
    assert len(peer.operations) == 1


def record(memory: FeatureMemory) -> None:
    with memory.operation("a"):
        pass
