"""A broker that does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from featurememory.celery import app
from tests.servers import free_port


def _send_to(url: str) -> None:
    app.conf.broker_url = app.conf.broker_write_url = url
    app.__dict__.pop("amqp", None)
    app._pool = None


@pytest.fixture
def deaf_broker() -> Iterator[None]:
    """Nobody listens where it should be."""
    url, options = app.conf.broker_url, app.conf.broker_transport_options
    app.conf.broker_transport_options = {}
    _send_to(f"redis://127.0.0.1:{free_port()}/0")
    yield
    app.conf.broker_transport_options = options
    _send_to(url)
