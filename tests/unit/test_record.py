"""A stored response comes back byte for byte, or not at all."""

import json
import os
import tracemalloc
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.idempotency.protocol import LARGEST_RECORD_BYTES, record_of
from tidegate.web.stored_response import LARGEST_INFLATED_BYTES, PendingSync, StoredResponse

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
names = st.text(TOKEN, min_size=1, max_size=20).map(str.encode)
values = st.binary(max_size=40).map(lambda value: value.translate(None, b"\r\n\0"))
headers = st.lists(st.tuples(names, values), max_size=8).map(tuple)
bodies = st.none() | st.binary(max_size=3000) | st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 5000))
pending_syncs = st.none() | st.builds(PendingSync, st.uuids().map(str), st.integers(0, 2**53))
responses = st.builds(StoredResponse, st.integers(100, 599), headers, bodies, pending_syncs)


@given(responses)
@example(StoredResponse(200, ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x", b"\xff\t")), b"\n{}\n\x00"))
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


HEAD = {"v": 1, "status": 200, "headers": [["content-type", "text/plain"]], "deflated": False, "kept": True}


def stored(body: bytes = b"body", **changes) -> bytes:
    """A record with a changed head."""
    return json.dumps(HEAD | changes).encode() + b"\n" + body


def refuses(record: bytes) -> bool:
    with pytest.raises(ValueError, match="no stored response"):
        StoredResponse.decode(record)
    return True


def test_what_the_changes_below_are_made_to_is_a_record():
    assert StoredResponse.decode(stored()) == StoredResponse(200, ((b"content-type", b"text/plain"),), b"body")


@pytest.mark.parametrize("status", ["200", 99, 1000, True, 1e3, 200.0, -200, None, [200], {}, 10**30])
def test_a_status_that_is_none_is_refused(status):
    assert refuses(stored(status=status))


@pytest.mark.parametrize("version", [0, 2, "1", True, 1.0, None, [1]])
def test_another_version_is_refused(version):
    assert refuses(stored(v=version))


@pytest.mark.parametrize(
    "headers",
    [
        "ab",
        None,
        {"a": "b"},
        [["a"]],
        [["a", "b", "c"]],
        [["a", 1]],
        [[1, "a"]],
        [["a", None]],
        [["a", ["b"]]],
        [["", "b"]],
        [["a b", "c"]],
        [["a:", "c"]],
        [["a\nb", "c"]],
        [["a\n", "c"]],
        [["a\r", "c"]],
        [["a\0", "c"]],
        [["\xe9", "c"]],
        [["a(", "c"]],
        [["a", "b\r\nset-cookie: c=d"]],
        [["a", "b\n"]],
        [["a", "b\r"]],
        [["a", "b\0"]],
        [["a", "\u20ac"]],
        [["a", "\ud800"]],
        [["fine", "fine"], ["a\r", "b"]],
    ],
    ids=repr,
)
def test_headers_that_are_none_are_refused(headers):
    assert refuses(stored(headers=headers))


@pytest.mark.parametrize("owed", [None, [], ["a"], [1, 2], ["a", "2"], ["a", True], ["a", 1.5], ["a", 1, 2], {}])
def test_a_debt_that_is_none_is_refused(owed):
    assert refuses(stored(owed=owed))


@pytest.mark.parametrize("changes", [{"deflated": 1}, {"deflated": "no"}, {"kept": 0}, {"kept": None}, {"kept": False}])
def test_a_head_that_doesnt_say_what_the_body_is_is_refused(changes):
    assert refuses(stored(**changes))


@pytest.mark.parametrize("missing", HEAD)
def test_a_head_with_a_part_missing_is_refused(missing):
    head = {name: value for name, value in HEAD.items() if name != missing}
    assert refuses(json.dumps(head).encode() + b"\nbody")


@pytest.mark.parametrize(
    "head",
    [
        b'{"v":1,"status":200,"headers":[],"deflated":false,"kept":true,"status":500}',
        b'{"v":1,"status":200,"headers":[],"deflated":false,"kept":true} {}',
        b'{"v":1,"status":NaN,"headers":[],"deflated":false,"kept":true}',
        b'{"v":1,"status":200,"headers":[],"deflated":false,"kept":true,"more":Infinity}',
        b'{"v":1,"status":' + b"9" * 5000 + b',"headers":[],"deflated":false,"kept":true}',
        b'{"v":1,"status":200,"headers":' + b"[" * 100_000 + b"]" * 100_000 + b',"deflated":false,"kept":true}',
        b'{"v":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'\xef\xbb\xbf{"v":1}',
    ],
    ids=lambda head: head[:60].decode("latin-1"),
)
def test_heads_that_no_writer_of_ours_makes_are_refused(head):
    assert refuses(head + b"\nbody")


def test_members_that_a_later_version_adds_are_passed_over():
    assert StoredResponse.decode(stored(later=[1])).body == b"body"


def deflated(body: bytes) -> bytes:
    return stored(body, deflated=True)


def test_a_body_that_inflates_to_more_than_any_answer_has_is_refused():
    bomb = zlib.compress(bytes(LARGEST_INFLATED_BYTES * 20), 9)
    tracemalloc.start()
    try:
        assert refuses(deflated(bomb))
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST_INFLATED_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [LARGEST_INFLATED_BYTES, LARGEST_INFLATED_BYTES + 1])
def test_the_largest_bodies_come_back_deflated_or_not(size):
    response = StoredResponse(200, (), bytes(size))
    assert (len(response.encode()) < size) == (size <= LARGEST_INFLATED_BYTES)
    assert StoredResponse.decode(response.encode()) == response


@pytest.mark.parametrize("tail", [b"x", zlib.compress(b"more")], ids=["garbage", "another stream"])
def test_a_body_that_goes_on_behind_its_end_is_refused(tail):
    assert refuses(deflated(zlib.compress(b"body") + tail))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_or_refused(data):
    for record in (data, stored(data, deflated=True), json.dumps(HEAD).encode()[: len(data)] + data):
        try:
            assert isinstance(StoredResponse.decode(record), StoredResponse)
        except ValueError:
            continue


def test_a_record_cut_short_is_refused_with_a_value_error():
    stored = StoredResponse(200, (), b"tide " * 1000).encode()
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        StoredResponse.decode(stored[:-5])


def test_an_answer_that_just_fits_into_one_item_is_kept_whole():
    noise = os.urandom(LARGEST_RECORD_BYTES)
    head = len(StoredResponse(200, (), noise).encode()) - len(noise)
    fits, larger = (StoredResponse(200, (), noise[: LARGEST_RECORD_BYTES - head + more]) for more in (0, 1))
    assert len(record_of(fits)) == LARGEST_RECORD_BYTES
    assert StoredResponse.decode(record_of(fits)) == fits
    assert StoredResponse.decode(record_of(larger)).body is None


def test_an_answer_too_large_for_one_item_is_kept_as_its_status_alone():
    large = StoredResponse(201, ((b"location", b"/exports/1"),), os.urandom(LARGEST_RECORD_BYTES))
    stored = record_of(large)
    assert len(stored) <= LARGEST_RECORD_BYTES
    assert StoredResponse.decode(stored) == StoredResponse(201, (), None)


def test_an_answer_that_deflates_into_one_item_is_kept_whole():
    long = StoredResponse(200, (), b"tide " * 200_000)
    assert StoredResponse.decode(record_of(long)) == long
