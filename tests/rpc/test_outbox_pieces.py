"""What is left of a write that the system took in part."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc.atonce import at_once_writer, input_waits
from rpc.outbox import after

pieces = st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=4)


@given(pieces, st.integers(0, 40))
def test_what_is_left_is_the_rest_of_the_bytes(pieces: list[bytes], sent: int) -> None:
    rest = after(pieces, sent)

    assert b"".join(rest) == b"".join(pieces)[sent:]
    assert all(rest)


@pytest.mark.skipif(os.name == "nt", reason="no pipe tells this on Windows")
def test_input_waits_when_a_byte_is_there() -> None:
    reading, writing = os.pipe()
    waits = input_waits(reading)
    before = waits()
    os.write(writing, b"x")
    there = waits()
    os.close(writing)
    os.close(reading)

    assert (before, there) == (False, True)


@pytest.mark.skipif(os.name == "nt", reason="no pipe can be asked on Windows")
def test_a_pipe_takes_what_fits_and_no_more() -> None:
    reading, writing = os.pipe()
    write = at_once_writer(writing)
    assert write is not None

    taken = write([b"header", b"x" * (8 << 20)])
    rest = after([b"header", b"x" * (8 << 20)], taken)
    more = write(rest) if taken else 0

    assert 0 < taken < 8 << 20
    assert more == 0
    assert os.read(reading, 8) == b"headerxx"
    os.close(writing)
    os.close(reading)
