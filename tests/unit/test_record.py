"""A stored response comes back byte for byte, or not at all."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.mechanisms.idempotency import LARGEST_RECORD_BYTES, record_of
from tidegate.record import Owed, StoredResponse

names = st.binary(min_size=1, max_size=20)
headers = st.lists(st.tuples(names, st.binary(max_size=40)), max_size=8).map(tuple)
bodies = st.none() | st.binary(max_size=3000) | st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 5000))
owed = st.none() | st.builds(Owed, st.uuids().map(str), st.integers(0, 2**53))
responses = st.builds(StoredResponse, st.integers(100, 599), headers, bodies, owed)


@given(responses)
@example(StoredResponse(200, ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x", b"\xff\n")), b"\n{}\n\x00"))
def test_what_was_stored_is_read_back_byte_for_byte(response):
    assert StoredResponse.decode(response.encode()) == response


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 1_000_000, 10_000_000])
@pytest.mark.parametrize("kind", ["text", "noise"])
def test_bodies_of_every_size_come_back(size, kind):
    body = os.urandom(size) if kind == "noise" else b"the tide is out " * (size // 16) + b"." * (size % 16)
    response = StoredResponse(200, ((b"content-type", b"text/plain"),), body)
    assert StoredResponse.decode(response.encode()) == response


def test_a_long_text_is_stored_short_and_noise_no_longer_than_it_is():
    assert len(StoredResponse(200, (), b"tide " * 10_000).encode()) < 1000
    noise = os.urandom(50_000)
    assert len(StoredResponse(200, (), noise).encode()) < len(noise) + 200


@pytest.mark.parametrize(
    "stored", [b"", b"\n", b"hello", b"{}\n", b"[]\n", b"null\n", b'{"status":200}\nbody', b"\xff\n"]
)
def test_other_bytes_are_refused_with_a_value_error(stored):
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        StoredResponse.decode(stored)


def test_a_record_cut_short_is_refused_with_a_value_error():
    stored = StoredResponse(200, (), b"tide " * 1000).encode()
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        StoredResponse.decode(stored[:-5])


def test_an_answer_too_large_for_one_item_is_kept_as_the_fact_that_it_was_given():
    large = StoredResponse(201, ((b"location", b"/exports/1"),), os.urandom(LARGEST_RECORD_BYTES))
    stored = record_of(large)
    assert len(stored) <= LARGEST_RECORD_BYTES
    assert StoredResponse.decode(stored) == StoredResponse(201, (), None)


def test_an_answer_that_deflates_into_one_item_is_kept_whole():
    long = StoredResponse(200, (), b"tide " * 200_000)
    assert StoredResponse.decode(record_of(long)) == long
