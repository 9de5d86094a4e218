"""What a script answers has the shape of an answer to what it was asked, or is refused."""

from __future__ import annotations

import pytest

from tests.contract.hostile import AMPLE_S, LIMITED, QUIET_S, opened_on
from tests.contract.store_errors import kind_of
from tests.contract.workers import request
from tests.harness.hostile_redis import array, bulk
from tidegate import StoreUnavailableError
from tidegate.clock import SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.messages import Completed, Question, Settlement
from tidegate.redis_driver.node import RedisTarget
from tidegate.stores.redis.store import RedisStore

MINE, YOURS = request("claim", "mine"), request("claim", "yours")
HEARTBEAT = array(1, 0, 1, 0, 0, 0, 0)


def decided(*items: bytes | int, allowed: int = 1) -> bytes:
    return array(1, allowed, 9, 0, 0, 0, *items)


class TestScripts:
    """What a script answers has the shape of an answer to what it was asked, or is refused."""

    @pytest.fixture
    def ask(self, hostile, closing):
        def asked(told: bytes, question: Question = LIMITED, riders: bytes = HEARTBEAT) -> object:
            replies = iter([told, riders])
            server = hostile(lambda _: next(replies, b"-ERR enough\r\n"))
            store = opened_on(server, closing)
            return store.admit(question)

        return asked

    def test_an_answer_is_read(self, ask):
        assert ask(decided()).limits[0].remaining == 9

    @pytest.mark.parametrize(
        "told",
        [
            b"+OK\r\n",
            b"$-1\r\n",
            b":1\r\n",
            array(),
            array(1),
            array(1, 1, 9, 0, 0),
            array(1, 1, 9, 0, 0, 0, 0),
            array(b"1", 1, 9, 0, 0, 0),
            array(1, b"1", 9, 0, 0, 0),
            array(1, 1, 9, 0, b"", 0),
            array(1, 1, 9, 0, 0, 0, b"granted", b"", b"mine"),
            b"*6\r\n:1\r\n:1\r\n*0\r\n:0\r\n:0\r\n:0\r\n",
            b"*6\r\n:1\r\n:1\r\n$-1\r\n:0\r\n:0\r\n:0\r\n",
            HEARTBEAT,
        ],
        ids=repr,
    )
    def test_an_answer_to_something_else_is_a_fault(self, ask, told):
        assert kind_of(lambda: ask(told)) == "protocol"

    @pytest.mark.parametrize("told", [b"+OK\r\n", array(), array(1, 0), array(1, 0, b"x"), decided(b"x")], ids=repr)
    def test_so_is_a_heartbeats(self, ask, told):
        assert kind_of(lambda: ask(decided(), riders=told)) == "protocol"

    def test_a_frame_too_many_between_a_decision_and_its_rider_is_a_fault(self, hostile, closing):
        """Each is sent by itself, so that nothing is left over when two replies are read."""
        told = iter([decided() + decided(), HEARTBEAT])
        server = hostile(lambda _: next(told))
        store = opened_on(server, closing)
        assert kind_of(lambda: store.admit(LIMITED)) == "protocol"

    def test_an_answer_under_another_attempts_name_is_anothers(self, ask):
        question = Question("subject", LIMITED.charges, MINE)
        assert ask(decided(b"completed", b"answer", b"mine"), question).claim == Completed(b"answer")
        assert kind_of(lambda: ask(decided(b"completed", b"answer", b"yours"), question)) == "protocol"

    @pytest.mark.parametrize(
        "claim",
        [
            (b"granted",),
            (b"completed", 1, b"mine"),
            (1, b"answer", b"mine"),
            (b"else", b"answer", b"mine"),
            (b"completed", b"answer"),
            (b"completed", b"answer", 5),
        ],
        ids=repr,
    )
    def test_a_claim_of_an_odd_shape_is_a_fault(self, ask, claim):
        assert kind_of(lambda: ask(decided(*claim), Question("subject", LIMITED.charges, MINE))) == "protocol"

    def test_a_settlements_odd_reply_is_a_fault(self, hostile, closing):
        server = hostile(lambda _: bulk(b"answer"))
        store = opened_on(server, closing)
        assert kind_of(lambda: store.settle(Settlement("subject", MINE, b"record", fenced=True))) == "protocol"

    def test_a_probes_odd_reply_is_a_fault(self, hostile, closing):
        store = opened_on(hostile(lambda _: b":1\r\n"), closing)
        assert kind_of(store.probe) == "protocol"


def test_replies_that_are_shifted_by_one_reach_nobody(hostile, closing):
    """Each caller's answer lies on the connection when the next one asks; all of them are well-formed."""
    late: list[bytes] = [b""]

    def answers(command: list[bytes]) -> bytes:
        if command[0] == b"SET":
            return b"+OK\r\n"
        attempt = next((word for word in command if word in {b"mine", b"yours"}), None)
        if attempt is None:
            return HEARTBEAT
        late.append(array(1, b"completed", b"the answer of " + attempt, attempt))
        return late.pop(0) + (HEARTBEAT if not late[0] else b"")

    server = hostile(answers)
    clock = SystemClock()
    store = RedisStore(RedisTarget(server.url, QUIET_S, AMPLE_S), "n", "me", clock)
    closing.callback(store.close)
    tracked = CircuitBreakerStore(store, Breaker(clock, first_pause_s=0.0), clock)
    seen = set()
    for n in range(10):
        mine = MINE if n % 2 else YOURS
        try:
            answer = tracked.ask(lambda asked, claim=mine: asked.admit(Question("subject", claim=claim)))
        except StoreUnavailableError as error:
            seen.add(error.kind)
        else:
            assert answer.claim == Completed(b"the answer of " + mine.attempt_id.encode())
    assert seen
