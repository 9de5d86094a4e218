"""A body that is read ahead: given on as it came, and never more than a limit of it held in memory."""

import asyncio
import os
import tracemalloc
from pathlib import Path

import pytest

import tidegate.web.body
from tidegate.web.body import HELD_IN_MEMORY_BYTES, Body, BodyTooLargeError, Reread, read_body

pytestmark = pytest.mark.anyio
MEBIBYTE = 1024 * 1024


def sending(*pieces: bytes, ends: bool = True):
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if ends:
        messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


async def read_again(body: Body) -> list[bytes]:
    receive, pieces = Reread(body, sending(ends=False)), []
    while True:
        message = await receive()
        pieces.append(message["body"])
        if not message["more_body"]:
            return pieces


def open_files() -> int:
    """Files without a name that this process holds: what a temporary file is on Linux."""
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("deleted" in str(link) for link in links)


@pytest.mark.parametrize("pieces", [[b""], [b"one"], [b"one", b"", b"two"], [b"a" * 1000] * 1000])
async def test_a_body_in_memory_is_shown_in_its_pieces_and_given_on_whole(pieces):
    seen = []
    body = await read_body(sending(*pieces), 2 * MEBIBYTE, seen.append)
    assert seen == pieces
    assert await read_again(body) == [b"".join(pieces)]
    assert body.size_bytes == sum(map(len, pieces))


async def test_a_body_in_many_small_pieces_takes_little_more_than_its_bytes():
    pieces = iter(range(100_000))

    async def receive():
        at = next(pieces)
        return {"type": "http.request", "body": at.to_bytes(4, "big"), "more_body": at < 99_999}

    tracemalloc.start()
    try:
        body = await read_body(receive, MEBIBYTE, len)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert body.size_bytes == 400_000
    assert taken < 2 * body.size_bytes


async def test_a_large_body_waits_in_a_file_and_comes_back_whole():
    pieces = [os.urandom(200_000) for _ in range(20)]
    before, seen = open_files(), []
    body = await read_body(sending(*pieces), 6 * MEBIBYTE, seen.append)
    assert seen == pieces
    assert body.held() is None
    assert open_files() == before + 1
    again = await read_again(body)
    assert b"".join(again) == b"".join(pieces)
    assert max(map(len, again)) <= HELD_IN_MEMORY_BYTES
    body.close()
    assert open_files() == before


async def test_memory_holds_exactly_its_limit():
    body = await read_body(sending(b"a" * HELD_IN_MEMORY_BYTES), 6 * MEBIBYTE, len)
    assert body._file is None
    body = await read_body(sending(b"a" * HELD_IN_MEMORY_BYTES, b"b"), 6 * MEBIBYTE, len)
    assert body._file is not None
    body.close()


@pytest.mark.parametrize("kept", [10, 10**9])
async def test_a_body_above_the_routes_limit_is_read_no_further(monkeypatch, kept):
    monkeypatch.setattr(tidegate.web.body, "HELD_IN_MEMORY_BYTES", kept)
    before, seen = open_files(), []
    body = await read_body(sending(b"a" * 60, b"b" * 40), 100, seen.append)
    assert body.size_bytes == 100
    body.close()
    seen.clear()
    with pytest.raises(BodyTooLargeError):
        await read_body(sending(b"a" * 60, b"b" * 41, b"c"), 100, seen.append)
    assert seen == [b"a" * 60]
    assert open_files() == before


async def test_a_client_that_leaves_before_the_end_leaves_nothing(monkeypatch):
    monkeypatch.setattr(tidegate.web.body, "HELD_IN_MEMORY_BYTES", 10)
    before = open_files()
    with pytest.raises(ConnectionError):
        await read_body(sending(b"a" * 60, ends=False), 100, len)
    assert open_files() == before


async def test_a_long_piece_is_shown_in_slices_that_let_others_run_between():
    shown, turns = [], []

    async def other():
        while len(shown) < 4:
            turns.append(len(shown))
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    sent = bytes(range(256)) * 4096
    body = await read_body(lambda: _message(sent), 2**20, shown.append)
    await beside
    assert b"".join(shown) == sent == b"".join(body.pieces())
    assert max(map(len, shown)) <= 256 * 1024
    assert len(set(turns)) > 2
    body.close()


async def _message(sent):
    return {"type": "http.request", "body": sent, "more_body": False}
