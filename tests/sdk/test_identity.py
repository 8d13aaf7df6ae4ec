"""Names for operations: ordered by time, never the same twice, and not from the host's own randomness."""

from __future__ import annotations

import os
import random
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from featurememory.sdk.identity import RANDOM_BITS, instance_name, random_bits, uuid7


@given(st.integers(0, 2**48 * 10**6 - 1), st.integers(0, 2**RANDOM_BITS - 1))
def test_it_is_a_uuid_of_version_7_whatever_the_moment(unix_ns: int, randomness: int) -> None:
    identity = UUID(uuid7(unix_ns, randomness))
    assert (identity.version, identity.variant) == (7, RFC_4122)
    assert identity.int >> 80 == unix_ns // 10**6
    assert str(identity) == uuid7(unix_ns, randomness)


@given(st.integers(0, 2**RANDOM_BITS - 1), st.integers(0, 2**RANDOM_BITS - 1))
def test_different_randomness_gives_different_names(one: int, other: int) -> None:
    assert (uuid7(0, one) == uuid7(0, other)) == (one == other)


def test_names_are_ordered_by_time() -> None:
    moments = [1_000_000 * each for each in range(1, 10_000, 97)]
    names = [uuid7(moment, random_bits(RANDOM_BITS)) for moment in moments]
    assert names == sorted(names)


def test_the_hosts_generator_is_left_alone() -> None:
    random.seed(42)
    before = random.getstate()
    random_bits(RANDOM_BITS)
    assert random.getstate() == before


def test_two_children_of_one_process_draw_different_numbers() -> None:
    def drawn_by_child() -> bytes:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, random_bits(128).to_bytes(16, "big"))
            os._exit(0)
        os.waitpid(child, 0)
        os.close(write)
        with os.fdopen(read, "rb") as drawn:
            return drawn.read()

    assert drawn_by_child() != drawn_by_child()


def test_an_instance_names_host_and_process() -> None:
    host, process, part = instance_name().rsplit(":", 2)
    assert host == os.uname().nodename
    assert int(process) == os.getpid()
    assert len(part) == 8
