"""The queue of accepted requests: its stores under concurrency, faults, and every order of events."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.queue_machine import QueueMachine
from tests.contract.queue_rig import BOUND, EXPIRY_MS, Messages, Rig
from tidegate import StoreUnavailableError
from tidegate.mechanisms.request_queue import Accepted
from tidegate.stores.sqs import Message


@pytest.fixture
def rig(dynamo, library_table):
    return Rig(dynamo, library_table)


def at_once(count, call):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_the_bound_is_exact_under_concurrency(rig):
    answers = at_once(12, lambda n: rig.accept(f"key-{n}")[1])
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == BOUND
    assert max(answer.position for answer in accepted) == BOUND
    assert answers.count("full") == 12 - BOUND
    assert {message.id for message in rig.messages.sent} == {answer.id for answer in accepted}


def test_a_queue_that_was_full_is_not_asked_again_for_a_moment(rig, dynamo, library_table, tcp_proxy):
    proxy = tcp_proxy(dynamo.port)
    os.environ["AWS_ENDPOINT_URL"] = f"http://{proxy.host}:{proxy.port}"
    asked = Rig(dynamo, library_table, remembers_s=1.0, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for number in range(BOUND):
        asked.accept(f"key-{number}")
    assert asked.accept("next")[1] == "full"
    proxy.reset_counts()
    assert [asked.accept("next")[1] for _ in range(50)] == ["full"] * 50
    assert proxy.commands == []
    assert asked.accept("key-1")[1].id == asked.item("key-1").id, "what waits there is found"
    asked.queue.drop(asked.item("key-0"))
    asked.clock.advance(1)
    assert asked.accept("next")[1] == Accepted(asked.item("next").id, BOUND)


def test_what_was_kept_but_never_sent_is_sent_by_its_retry(rig):
    item = rig.item()
    expires_ms = rig.queue.now_ms() + EXPIRY_MS
    rig.waiting.enter(item.queue, item.place, item.id, expires_ms)  # and there its environment died
    rig.requests.put(item._replace(expires_ms=expires_ms))
    assert rig.accept()[1] == Accepted(item.id, 1)
    assert rig.messages.sent == [Message(item.id, item.nonce)]


def test_one_key_is_one_request_under_concurrency(rig):
    answers = at_once(12, lambda _: rig.accept()[1])
    assert {answer.id for answer in answers} == {rig.item().id}
    assert len(set(rig.messages.sent)) == 1, "all send the same message, which SQS takes once"


def test_of_a_begin_and_a_cancellation_one_wins(rig):
    for number in range(8):
        rig.accept(f"key-{number}")
        item = rig.queue.find(rig.item(f"key-{number}").id)
        begun, cancelled = at_once(2, lambda n: rig.queue.close(item, "cancelled") if n else rig.queue.begin(item))  # noqa: B023
        assert begun != cancelled
        if begun:
            rig.queue.end(item, b"answer")


def test_a_second_end_changes_nothing(rig):
    rig.accept()
    item = rig.queue.find(rig.item().id)
    assert rig.queue.begin(item)
    rig.queue.end(item, b"first")
    rig.queue.end(item, b"second")
    assert not rig.queue.begin(item)
    done = rig.queue.find(item.id)
    assert (done.state, rig.queue.record(done), done.request) == ("done", b"first", b"")
    assert rig.waiting.position(item.queue, item.place) is None


@pytest.mark.parametrize("size", [0, 1, 350_000, 350_001, 900_000])
def test_an_answer_of_any_size_is_kept_whole(rig, size):
    rig.accept()
    item = rig.queue.find(rig.item().id)
    record = b"h" + os.urandom(size)
    rig.queue.end(item, record)
    assert rig.queue.record(rig.queue.find(item.id)) == record


def test_who_did_not_send_does_not_withdraw_what_another_has_sent(rig):
    first, _ = rig.accept()
    rig.messages.fails = "before"
    with pytest.raises(StoreUnavailableError):
        rig.accept()
    assert rig.queue.find(first.id).state == "queued"


def test_who_put_it_does_not_withdraw_it_once_another_has_sent_it(rig):
    first = rig.item()
    retry = Rig.accept

    class Between(Messages):
        """Fails to send, after another attempt has sent the same request."""

        def send(self, message, group):
            rig.queue._messages = rig.messages
            retry(rig)
            raise StoreUnavailableError("sqs", "timeout")

    rig.queue._messages = Between()
    assert rig.queue.accept(first) == Accepted(first.id, 1)
    assert [message.nonce for message in rig.messages.sent] == [first.nonce]
    assert rig.queue.find(first.id).state == "queued"


def test_what_was_sent_though_it_looked_otherwise_and_has_begun_is_accepted(rig):
    item = rig.item()

    class Slow(Messages):
        """Sends, is received, and only then fails."""

        def send(self, message, group):
            rig.queue.begin(rig.queue.find(message.id))
            raise StoreUnavailableError("sqs", "timeout")

    rig.queue._messages = Slow()
    assert rig.queue.accept(item) == Accepted(item.id, 1)
    assert rig.queue.find(item.id).state == "running"


def test_what_is_begun_too_often_is_buried(rig):
    rig.accept()
    item = rig.queue.find(rig.item().id)
    assert [rig.queue.begin(item) for _ in range(6)] == [True] * 5 + [False]
    rig.queue.bury(item)
    assert rig.queue.find(item.id).state == "failed"
    assert rig.dead.sent == [Message(item.id, item.nonce)]
    assert rig.accept()[1].id == item.id, "its key names it for good"
    assert rig.queue.find(item.id).state == "failed"


def test_what_has_expired_is_not_begun_and_what_has_begun_goes_on(rig):
    for key in ("waits", "runs"):
        rig.accept(key)
    waits, runs = (rig.queue.find(rig.item(key).id) for key in ("waits", "runs"))
    assert rig.queue.begin(runs)
    rig.clock.advance(EXPIRY_MS / 1000)
    assert (rig.queue.begin(waits), rig.queue.begin(runs)) == (False, True)


def test_a_message_of_an_earlier_acceptance_moves_nothing(rig):
    rig.accept()
    first = rig.queue.find(rig.item().id)
    rig.queue.close(first, "cancelled")
    rig.accept()
    assert not rig.queue.begin(first)
    assert not rig.queue.close(first, "cancelled")
    assert rig.queue.begin(rig.queue.find(first.id))


def test_places_that_were_left_behind_end_with_their_time(rig):
    rig.messages.fails = "before"
    for number in range(BOUND):  # as if each had died before it could leave
        item = rig.item(f"dead-{number}")
        rig.waiting.enter(item.queue, item.place, item.id, rig.queue.now_ms() + EXPIRY_MS)
    rig.messages.fails = None
    assert rig.accept("next")[1] == "full"
    rig.clock.advance(EXPIRY_MS / 1000)
    assert rig.accept("next")[1] == Accepted(rig.item("next").id, 1)


def test_every_order_of_events_is_the_models(dynamo, library_table):
    class Machine(QueueMachine):
        """On this test's engine."""

        make = staticmethod(lambda: Rig(dynamo, library_table))

    few = settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=few)


def test_the_item_keeps_what_it_was_given(rig):
    item = rig.item()._replace(expires_ms=rig.queue.now_ms() + 5)
    assert rig.requests.put(item) == item
    assert rig.requests.find(item.id) == item
