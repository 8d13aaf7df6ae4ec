"""What the host's log hears of us, and that its handlers cannot hurt us."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from featurememory import FeatureMemory
from featurememory.sdk.host_log import warn
from tests.sdk.peer import Peer, always


@contextmanager
def failing_handler(error: BaseException) -> Iterator[list[str]]:
    """The host's log with a handler that raises; gives what it was asked to write."""
    asked: list[str] = []

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(record.getMessage())
            raise error

    logger, handler = logging.getLogger("featurememory"), Failing()
    logger.addHandler(handler)
    try:
        yield asked
    finally:
        logger.removeHandler(handler)


def test_one_kind_of_warning_does_not_silence_another(caplog: pytest.LogCaptureFixture) -> None:
    for kind in ("unreachable", "unreachable", "rejected"):
        warn(kind, f"it was {kind}")
    assert caplog.messages == ["Feature Memory: it was unreachable", "Feature Memory: it was rejected"]


def test_a_server_that_is_busy_and_then_refuses_is_told_as_two_things(
    memory: FeatureMemory, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.next_behaviours.extend([always(503), always(422, {"title": "no such field"})])
    with memory.operation("a") as operation:
        operation.score(7)
    assert memory.flush(10)
    assert [part in caplog.text for part in ("a score of 7", "503", "no such field")] == [True, True, True]


def test_a_handler_that_fails_is_the_hosts_affair(memory: FeatureMemory) -> None:
    with failing_handler(RuntimeError("disk full")) as asked, memory.operation("a") as operation:
        operation.score(7)
    assert len(asked) == 1


@pytest.mark.parametrize("error", [RuntimeError("disk full"), SystemExit(1)], ids=["fails", "exits"])
def test_a_handler_that_fails_does_not_end_delivery(
    error: BaseException, memory: FeatureMemory, peer: Peer
) -> None:
    peer.next_behaviours.append(always(503))
    with failing_handler(error) as asked:
        with memory.operation("a"):
            pass
        assert memory.flush(10)
    assert "503" in asked[0]
    assert len(peer.operations) == 1
