"""Messages in files: whole or not there at all."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from featurememory.scheduling.broker import register


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    return Connection(register(), transport_options=options)


def test_a_reader_never_finds_half_a_message(connection: Connection, tmp_path: Path) -> None:
    count, got = 300, []
    with connection:
        writer, reader = connection.SimpleQueue("jobs"), connection.clone().SimpleQueue("jobs")

        def write() -> None:
            for number in range(count):
                writer.put({"number": number, "more": "x" * 20_000})

        thread = threading.Thread(target=write)
        thread.start()
        while len(got) < count:
            message = reader.get(timeout=20)
            got.append(message.payload["number"])
            message.ack()
        thread.join()
    assert sorted(got) == list(range(count))
    assert not [each for each in tmp_path.iterdir() if each.is_file()]


def test_a_broken_message_is_left_out(connection: Connection, tmp_path: Path) -> None:
    with connection:
        queue = connection.SimpleQueue("others")  # Kombu remembers queues for the whole process
        (tmp_path / "1_broken.others.msg").write_bytes(b"")
        queue.put("whole")
        assert queue.get(timeout=20).payload == "whole"
        with pytest.raises(Empty):
            queue.get(block=False)
