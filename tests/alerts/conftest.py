"""Private targets are allowed where sinks of the tests are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.alerts.sink import Sink, running_sink


@pytest.fixture
def local_targets(settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, private_targets=("127.0.0.0/8",))


@pytest.fixture
def sink(local_targets: None) -> Iterator[Sink]:
    with running_sink() as running:
        yield running
