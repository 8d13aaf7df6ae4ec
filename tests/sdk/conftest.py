"""A peer to talk to, and memories that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from featurememory import FeatureMemory
from tests.sdk.peer import Peer, running_peer

MakeMemory = Callable[..., FeatureMemory]


@pytest.fixture(autouse=True)
def _warned_of_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featurememory.sdk.host_log._last", {})


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as running:
        yield running


@pytest.fixture
def make_memory(peer: Peer) -> Iterator[MakeMemory]:
    """Memories that talk to the peer, unless their options say otherwise."""
    made: list[FeatureMemory] = []

    def make(**options: Any) -> FeatureMemory:
        defaults = {"url": peer.url, "api_key": "fm_test", "follow_breakers": False, "flush_interval_s": 0.01}
        made.append(FeatureMemory(**(defaults | options)))
        return made[-1]

    yield make
    for memory in made:
        memory.close(0)


@pytest.fixture
def memory(make_memory: MakeMemory) -> FeatureMemory:
    return make_memory()
