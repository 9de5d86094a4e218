"""Bodies that are still coming in: each for so long, and only so many at once, of one principal and of all."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.idempotency_loop import HeldLoop
from tidegate import ConfigurationError, Settings
from tidegate.testing import FakeClock
from tidegate.web.uploads import BodyTooSlowError, Bounds, Uploads, UploadsFullError

BOUNDS = Bounds(timeout_s=20, bytes_per_s=1000, per_principal=3, in_all=5)


class Client:
    """What one client sends, piece by piece; nothing comes by itself."""

    def __init__(self, loop):
        self._loop = loop
        self._next = None
        self._sent = []

    def send(self, piece=b"", *, more=True):
        self._sent.append({"type": "http.request", "body": piece, "more_body": more})
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    async def receive(self):
        while not self._sent:
            self._next = self._loop.create_future()
            await self._next
        return self._sent.pop(0)


class Rig:
    """Uploads on an event loop whose time only the test moves."""

    def __init__(self, bounds=BOUNDS):
        self.clock = FakeClock()
        self.loop = HeldLoop(self.clock)
        self.uploads = Uploads(bounds)

    def reads(self, principal="ann", *, counted=True):
        """A client, and the task that reads its whole body."""
        client = Client(self.loop)
        task = self.loop.create_task(self._read(client, principal, counted=counted))
        self.loop.drain()
        return client, task

    async def _read(self, client, principal, *, counted):
        receive, size = client.receive, 0
        upload = self.uploads.begin(receive, principal) if counted else self.uploads.during(receive)
        try:
            while True:
                message = await upload()
                size += len(message["body"])
                if not message["more_body"]:
                    return size
        finally:
            upload.close()

    def wait(self, seconds):
        for _ in range(seconds):
            self.clock.advance(1)
            self.loop.drain()

    @property
    def idle(self):
        """Whether nothing is held any more, and no timer is set."""
        self.wait(2)
        return not self.uploads._by_loop and not self.loop._timers


@pytest.fixture
def rig():
    return Rig()


def test_a_body_that_comes_is_read_and_leaves_nothing(rig):
    client, task = rig.reads()
    for _ in range(9):
        client.send(b"piece")
        rig.wait(2)
    client.send(b"end", more=False)
    rig.loop.drain()
    assert task.result() == 48
    assert rig.idle


@pytest.mark.parametrize("counted", [True, False])
def test_a_body_that_never_ends_is_waited_for_so_long(rig, counted):
    _, task = rig.reads(counted=counted)
    rig.wait(20)
    assert not task.done()
    rig.wait(2)
    with pytest.raises(BodyTooSlowError):
        task.result()
    assert task.cancelling() == 0, "the cancellation that woke it is taken back"
    assert rig.idle


def test_what_comes_gives_a_body_time_back_and_none_can_be_saved_up(rig):
    client, task = rig.reads()
    client.send(b"x" * 1_000_000)
    rig.wait(18)
    client.send(b"x" * 10_000)
    rig.wait(11)
    assert not task.done()
    rig.wait(3)
    assert isinstance(task.exception(), BodyTooSlowError)


def test_a_slow_body_is_read_to_its_end_at_the_least_rate(rig):
    client, task = rig.reads()
    for _ in range(300):
        client.send(b"x" * 1000)
        rig.wait(1)
    client.send(more=False)
    rig.loop.drain()
    assert task.result() == 300_000


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 9000)), max_size=100))
def test_what_is_left_is_what_was_waited_in_excess_of_the_rate(seconds):
    """The bucket the other way round: the excess of waiting over what came, which never falls below none."""
    left_s, excess_s = BOUNDS.timeout_s, 0.0
    for waited_s, came_bytes in seconds:
        left_s = BOUNDS.left_s(left_s, waited_s, came_bytes)
        excess_s = max(0.0, excess_s - came_bytes / BOUNDS.bytes_per_s) + waited_s
        assert left_s <= BOUNDS.timeout_s
    assert left_s == pytest.approx(BOUNDS.timeout_s - excess_s)


def test_a_drip_is_no_progress(rig):
    client, task = rig.reads()
    for _ in range(22):
        client.send(b"x")
        rig.wait(1)
    assert isinstance(task.exception(), BodyTooSlowError)


def test_the_time_of_the_handler_is_not_the_client_s(rig):
    client, clock = Client(rig.loop), rig.clock

    async def handler():
        upload = rig.uploads.during(client.receive)
        first = await upload()
        await asyncio.sleep(100)  # it works on the first piece
        last = await upload()
        upload.close()
        return first["body"] + last["body"]

    task = rig.loop.create_task(handler())
    rig.loop.drain()
    client.send(b"a")
    rig.wait(101)
    client.send(b"b", more=False)
    rig.loop.drain()
    assert task.result() == b"ab"
    assert clock.monotonic() > 100


def test_who_reads_on_after_its_end_is_told_again(rig):
    client, told = Client(rig.loop), []

    async def stubborn():
        upload = rig.uploads.during(client.receive)
        for _ in range(2):
            try:
                await upload()
            except BodyTooSlowError as error:
                told.append(error.status_code)
        upload.close()

    task = rig.loop.create_task(stubborn())
    rig.wait(23)
    assert task.done()
    assert told == [408, 408]


def test_what_follows_a_whole_body_is_waited_for_without_end(rig):
    client, heard = Client(rig.loop), []

    async def handler():
        upload = rig.uploads.during(client.receive)
        heard.append((await upload())["body"])
        heard.append((await upload())["body"])

    rig.loop.create_task(handler())
    client.send(b"whole", more=False)
    rig.wait(60)
    client.send(b"disconnect")
    rig.loop.drain()
    assert heard == [b"whole", b"disconnect"]


def test_a_cancellation_of_the_server_s_stays_one(rig):
    _, task = rig.reads()
    task.cancel()
    rig.loop.drain()
    assert task.cancelled()
    assert rig.idle


def test_a_cancellation_at_the_same_moment_stays_one(rig):
    _, task = rig.reads()
    [upload] = next(iter(rig.uploads._by_loop.values()))._awaited
    upload.end("slow")
    task.cancel()
    rig.loop.drain()
    assert task.cancelled()


def test_one_principal_has_so_many_at_once(rig):
    clients = [rig.reads()[0] for _ in range(3)]
    _, refused = rig.reads()
    assert refused.exception().of_one
    _, other = rig.reads("bob")
    assert not other.done()
    clients[0].send(more=False)
    rig.loop.drain()
    assert not rig.reads()[1].done()


def test_who_has_most_makes_room_for_who_has_less(rig):
    ann = [rig.reads("ann")[1] for _ in range(3)]
    bob = [rig.reads("bob")[1] for _ in range(2)]
    _, cleo = rig.reads("cleo")
    assert [task.done() for task in (*ann, *bob, cleo)] == [True, False, False, False, False, False]
    assert isinstance(ann[0].exception(), UploadsFullError)
    _, more = rig.reads("bob")
    assert more.exception().of_one is False, "nobody has more than he would have"


def test_what_a_handler_reads_is_not_counted(rig):
    for _ in range(9):
        rig.reads(counted=False)
    assert not rig.reads()[1].done()


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("BODY_TIMEOUT", "45s", "body_timeout_ms", 45_000),
        ("BODY_BYTES_PER_S", "64", "body_bytes_per_s", 64),
        ("BODIES_PER_PRINCIPAL", "7", "bodies_per_principal", 7),
        ("BODIES", "70", "bodies", 70),
        ("REPLAY_BYTES_PER_S", "0", "replay_bytes_per_s", 0),
    ],
)
def test_the_bounds_are_settings(variable, text, attribute, value):
    read = Settings.from_environ({"TIDEGATE_STORE": "memory", f"TIDEGATE_{variable}": text})
    assert getattr(read, attribute) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BODY_TIMEOUT", "1ms"),
        ("BODY_TIMEOUT", "2h"),
        ("BODY_BYTES_PER_S", "0"),
        ("BODIES_PER_PRINCIPAL", "0"),
        ("BODIES", "many"),
        ("REPLAY_BYTES_PER_S", "-1"),
    ],
)
def test_a_wrong_bound_is_named(variable, text):
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environ({"TIDEGATE_STORE": "memory", f"TIDEGATE_{variable}": text})
    assert raised.value.name == f"TIDEGATE_{variable}"


class Taker:
    """A client that takes what it is sent when it likes to."""

    def __init__(self, loop):
        self._loop = loop
        self.taken = []
        self._may = None

    async def send(self, message):
        self._may = self._loop.create_future()
        await self._may
        self.taken.append(message["body"])

    def take(self):
        self._may.set_result(None)


def test_an_answer_that_nobody_takes_is_given_up_and_the_application_told(rig):
    taker, told = Taker(rig.loop), []

    async def answer():
        download = rig.uploads.taken(taker.send)
        try:
            await download({"body": b"a"})
            await download({"body": b"b"})
        except OSError as error:
            told.append(str(error))
            with pytest.raises(OSError, match="doesn't take"):
                await download({"body": b"c"})
        download.close()

    task = rig.loop.create_task(answer())
    rig.wait(15)
    taker.take()
    rig.wait(4)
    assert not told
    rig.wait(4)
    assert task.done()
    assert (len(told), taker.taken, task.cancelling()) == (1, [b"a"], 0)
    assert rig.idle


def test_who_takes_enough_is_sent_to_as_long_as_it_lasts(rig):
    taker = Taker(rig.loop)

    async def answer():
        download = rig.uploads.taken(taker.send)
        for _ in range(100):
            await download({"body": b"x" * 1000})
        download.close()

    task = rig.loop.create_task(answer())
    for _ in range(100):
        rig.wait(1)
        taker.take()
        rig.loop.drain()
    assert task.done()
    assert len(taker.taken) == 100
    assert rig.idle


def test_a_client_that_leaves_while_it_takes_is_the_server_s_to_tell(rig):
    async def send(_):
        raise ConnectionResetError

    async def answer():
        download = rig.uploads.taken(send)
        with pytest.raises(ConnectionResetError):
            await download({"body": b""})
        download.close()

    task = rig.loop.create_task(answer())
    rig.loop.drain()
    task.result()
    assert rig.idle


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=60))
def test_the_bounds_hold_and_nobody_is_shut_out(events):
    """Who has nothing under way is always let in, as long as somebody has two."""
    rig, under_way = Rig(), []
    for principal, ends in events:
        under_way = [(who, client, task) for who, client, task in under_way if not task.done()]
        before = Counter(who for who, _, _ in under_way)
        if ends and under_way:
            _, client, task = under_way.pop()
            client.send(more=False)
            rig.loop.drain()
            assert task.done()
            continue
        client, task = rig.reads(principal)
        under_way.append((principal, client, task))
        if not before[principal] and (sum(before.values()) < BOUNDS.in_all or max(before.values()) > 1):
            assert not task.done()
        now = Counter(who for who, _, task in under_way if not task.done())
        assert sum(now.values()) <= BOUNDS.in_all
        assert max(now.values(), default=0) <= BOUNDS.per_principal
    for _, client, _ in under_way:
        client.send(more=False)
    rig.loop.drain()
    assert rig.idle
