"""RESP over a socket: replies in any pieces, errors in their places, and an end to every wait."""

import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.redis_driver.faults import NoScriptError, ReplyError
from tidegate.redis_driver.resp import Connection, ProtocolError, pack

Pair = tuple[Connection, socket.socket]


def soon() -> float:
    """An end that a test which works doesn't come near."""
    return monotonic() + 60


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    with theirs:
        yield connection, theirs
        connection.close()


def spelled(value: object) -> bytes:
    """A reply as a server sends it."""
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case list():
            return b"*%d\r\n" % len(value) + b"".join(map(spelled, value))
    raise TypeError(value)


def in_pieces(theirs: socket.socket, data: bytes, size: int) -> threading.Thread:
    """Send in another thread, for a socket's buffer takes less than a big reply."""

    def send() -> None:
        for at in range(0, len(data), size):
            theirs.sendall(data[at : at + size])

    thread = threading.Thread(target=send)
    thread.start()
    return thread


REPLIES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
).filter(lambda reply: depth(reply) <= 7)


def depth(reply: object) -> int:
    return 1 + max(map(depth, reply), default=0) if isinstance(reply, list) else 0


@given(replies=st.lists(REPLIES, min_size=1, max_size=5), size=st.integers(1, 50))
def test_replies_are_read_whatever_the_pieces_they_come_in(replies, size):
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    with theirs:
        sender = in_pieces(theirs, b"".join(map(spelled, replies)), size)
        assert connection.read(len(replies), soon()) == replies
        sender.join()
    connection.close()


def test_errors_stand_in_their_places_and_what_follows_is_still_read(pair):
    connection, theirs = pair
    theirs.sendall(b":1\r\n-NOSCRIPT No matching script.\r\n*2\r\n-OOM no memory\r\n+OK\r\n$0\r\n\r\n")
    one, unknown, [full, fine], empty = connection.read(4, soon())
    assert (one, fine, empty) == (1, b"OK", b"")
    assert isinstance(unknown, NoScriptError)
    assert isinstance(full, ReplyError)
    assert (unknown.code, full.code, str(full)) == ("NOSCRIPT", "OOM", "OOM no memory")


def test_an_error_that_isnt_text_is_read_too(pair):
    connection, theirs = pair
    theirs.sendall(b"-ERR \xff\xfe\r\n")
    [error] = connection.read(1, soon())
    assert error.code == "ERR"


def test_a_big_binary_reply_is_read_whole(pair):
    connection, theirs = pair
    value = bytes(range(256)) * 20_000
    sender = in_pieces(theirs, spelled([value, 1]), 300_000)
    assert connection.read(1, soon()) == [[value, 1]]
    sender.join()


def test_a_big_command_is_sent_whole(pair):
    connection, theirs = pair
    packed = pack([("SET", "key", b"\r\n\0" * 2_000_000)])
    received = bytearray()

    def receive() -> None:
        while len(received) < len(packed):
            received.extend(theirs.recv(100_000))

    reader = threading.Thread(target=receive)
    reader.start()
    connection.send(packed, soon())
    reader.join()
    assert received == packed


def test_commands_are_packed_with_their_binary_arguments():
    assert pack([("SET", "ключ", b"\r\n\xff", 7), ("PING",)]) == (
        b"*4\r\n$3\r\nSET\r\n$8\r\n" + "ключ".encode() + b"\r\n$3\r\n\r\n\xff\r\n$1\r\n7\r\n*1\r\n$4\r\nPING\r\n"
    )


@pytest.mark.parametrize("sent", [b"", b"$10\r\nhalf", b"*2\r\n:1\r\n"], ids=["nothing", "half a text", "half a list"])
def test_half_a_reply_is_waited_for_until_its_end_only(pair, sent):
    connection, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(TimeoutError):
        connection.read(1, monotonic() + 0.01)


def test_bytes_that_trickle_in_buy_no_time(pair):
    """The reply would be whole if each byte were waited for anew."""
    connection, theirs = pair
    stop = threading.Event()

    def trickle() -> None:
        theirs.sendall(b"$1000000\r\n")
        while not stop.wait(0.001):
            theirs.sendall(b"x")

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        with pytest.raises(TimeoutError):
            connection.read(1, monotonic() + 0.2)
    finally:
        stop.set()
        sender.join()
    assert connection.heard


def test_a_server_that_doesnt_read_is_waited_for_until_its_end_only(pair):
    connection, _ = pair
    with pytest.raises(TimeoutError):
        connection.send(b"x" * 50_000_000, monotonic() + 0.05)


def closed(theirs: socket.socket) -> None:
    theirs.close()


def closed_after_half_a_reply(theirs: socket.socket) -> None:
    theirs.sendall(b"$5\r\nab")
    theirs.close()


@pytest.mark.parametrize(("end", "heard"), [(closed, False), (closed_after_half_a_reply, True)])
def test_an_ended_connection_is_told_from_one_that_began_to_answer(pair, end, heard):
    connection, theirs = pair
    connection.send(pack([("PING",)]), soon())
    theirs.recv(100)
    end(theirs)
    with pytest.raises(ConnectionError):
        connection.read(1, soon())
    assert connection.heard is heard


def test_a_server_that_says_why_and_hangs_up_is_believed(pair):
    connection, theirs = pair
    theirs.sendall(b"-ERR max number of clients reached\r\n")
    theirs.close()
    with pytest.raises(ReplyError, match="max number of clients"):
        connection.read(2, soon())


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"$x\r\n"])
def test_what_is_no_resp_is_a_protocol_error(pair, sent):
    connection, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(ProtocolError):
        connection.read(1, soon())


def test_an_idle_connection_is_quiet_until_it_ends(pair):
    connection, theirs = pair
    assert connection.quiet
    theirs.close()
    assert not connection.quiet


def test_an_idle_connection_that_was_closed_has_ended(pair):
    connection, theirs = pair
    theirs.close()
    assert connection.ended


def test_an_idle_connection_on_which_something_was_said_is_broken(pair):
    connection, theirs = pair
    theirs.sendall(b":1\r\n")
    with pytest.raises(ProtocolError, match="nobody had asked"):
        _ = connection.ended


@pytest.mark.parametrize("extra", [b":2\r\n", b"+", b"\r\n", b"*2\r\n:1\r\n"])
def test_more_than_was_asked_for_is_a_protocol_error(pair, extra):
    connection, theirs = pair
    theirs.sendall(b":1\r\n" + extra)
    with pytest.raises(ProtocolError, match="more replies"):
        connection.read(1, soon())


@pytest.mark.parametrize("reply", [b"#t\r\n", b",1.5\r\n", b"%1\r\n+a\r\n+b\r\n", b">2\r\n+invalidate\r\n+k\r\n"])
def test_a_reply_of_a_kind_that_resp2_hasnt_is_a_protocol_error(pair, reply):
    connection, theirs = pair
    theirs.sendall(reply)
    with pytest.raises(ProtocolError, match="RESP2"):
        connection.read(1, soon())


@pytest.mark.parametrize(
    ("greeting", "error"), [(b"-ERR max number of clients reached\r\n", ReplyError), (b"+hello\r\n", ProtocolError)]
)
def test_a_server_that_speaks_before_it_is_asked_refuses_or_is_none(pair, greeting, error):
    connection, theirs = pair
    connection.hear_out(soon())
    theirs.sendall(greeting)
    with pytest.raises(error):
        connection.hear_out(soon())
