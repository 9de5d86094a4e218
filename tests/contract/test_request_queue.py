"""The queue of accepted requests: its stores under concurrency, faults, and every order of events."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.queue_machine import QueueMachine
from tests.contract.queue_rig import BOUND, EXPIRY_MS, Messages, Rig
from tidegate import StoreUnavailableError
from tidegate.overflow.queue import Accepted
from tidegate.overflow.sqs import Message


def at_once(count, call):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_the_bound_is_exact_under_concurrency(queue_rig):
    answers = at_once(12, lambda n: queue_rig.accept(f"key-{n}")[1])
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == BOUND
    assert max(answer.position for answer in accepted) == BOUND
    assert answers.count("full") == 12 - BOUND
    assert {message.id for message in queue_rig.messages.sent} == {answer.id for answer in accepted}


def test_a_queue_that_was_full_is_not_asked_again_for_a_moment(queue_rig, dynamo, library_table, tcp_proxy):
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


def test_what_was_kept_but_never_sent_is_sent_by_its_retry(queue_rig):
    item = queue_rig.item()
    expires_ms = queue_rig.queue.now_ms() + EXPIRY_MS
    queue_rig.waiting.enter(item.queue, item.place, item.id, expires_ms)  # and there its environment died
    queue_rig.requests.put(item._replace(expires_ms=expires_ms))
    assert queue_rig.accept()[1] == Accepted(item.id, 1)
    assert queue_rig.messages.sent == [Message(item.id, item.nonce)]


def test_one_key_is_one_request_under_concurrency(queue_rig):
    answers = at_once(12, lambda _: queue_rig.accept()[1])
    assert {answer.id for answer in answers} == {queue_rig.item().id}
    assert len(set(queue_rig.messages.sent)) == 1, "all send the same message, which SQS takes once"


def test_of_a_begin_and_a_cancellation_one_wins(queue_rig):
    queue = queue_rig.queue
    for number in range(8):
        queue_rig.accept(f"key-{number}")
        item = queue_rig.queue.find(queue_rig.item(f"key-{number}").id)
        begun, cancelled = at_once(2, lambda n: queue.close(item, "cancelled") if n else queue.begin(item))  # noqa: B023
        assert begun != cancelled
        if begun:
            queue_rig.queue.end(item, b"answer")


def test_a_second_end_changes_nothing(queue_rig):
    queue_rig.accept()
    item = queue_rig.queue.find(queue_rig.item().id)
    assert queue_rig.queue.begin(item)
    queue_rig.queue.end(item, b"first")
    queue_rig.queue.end(item, b"second")
    assert not queue_rig.queue.begin(item)
    done = queue_rig.queue.find(item.id)
    assert (done.state, queue_rig.queue.record(done), done.request) == ("done", b"first", b"")
    assert queue_rig.waiting.position(item.queue, item.place) is None


@pytest.mark.parametrize("size", [0, 1, 350_000, 350_001, 900_000])
def test_an_answer_of_any_size_is_kept_whole(queue_rig, size):
    queue_rig.accept()
    item = queue_rig.queue.find(queue_rig.item().id)
    record = b"h" + os.urandom(size)
    queue_rig.queue.end(item, record)
    assert queue_rig.queue.record(queue_rig.queue.find(item.id)) == record


def test_who_did_not_send_does_not_withdraw_what_another_has_sent(queue_rig):
    first, _ = queue_rig.accept()
    queue_rig.messages.fails = "before"
    with pytest.raises(StoreUnavailableError):
        queue_rig.accept()
    assert queue_rig.queue.find(first.id).state == "queued"


def test_who_put_it_does_not_withdraw_it_once_another_has_sent_it(queue_rig):
    first = queue_rig.item()
    retry = Rig.accept

    class Between(Messages):
        """Fails to send, after another attempt has sent the same request."""

        def send(self, message, group):
            queue_rig.queue._messages = queue_rig.messages
            retry(queue_rig)
            raise StoreUnavailableError("sqs", "timeout")

    queue_rig.queue._messages = Between()
    assert queue_rig.queue.accept(first) == Accepted(first.id, 1)
    assert [message.nonce for message in queue_rig.messages.sent] == [first.nonce]
    assert queue_rig.queue.find(first.id).state == "queued"


def test_a_request_whose_send_looked_failed_but_has_begun_is_accepted(queue_rig):
    item = queue_rig.item()

    class Slow(Messages):
        """Sends, is received, and only then fails."""

        def send(self, message, group):
            queue_rig.queue.begin(queue_rig.queue.find(message.id))
            raise StoreUnavailableError("sqs", "timeout")

    queue_rig.queue._messages = Slow()
    assert queue_rig.queue.accept(item) == Accepted(item.id, 1)
    assert queue_rig.queue.find(item.id).state == "running"


def test_what_is_begun_too_often_is_buried(queue_rig):
    queue_rig.accept()
    item = queue_rig.queue.find(queue_rig.item().id)
    assert [queue_rig.queue.begin(item) for _ in range(6)] == [True] * 5 + [False]
    queue_rig.queue.bury(item)
    assert queue_rig.queue.find(item.id).state == "failed"
    assert queue_rig.dead.sent == [Message(item.id, item.nonce)]
    assert queue_rig.accept()[1].id == item.id, "its key names it for good"
    assert queue_rig.queue.find(item.id).state == "failed"


def test_what_has_expired_is_not_begun_and_what_has_begun_goes_on(queue_rig):
    for key in ("waits", "runs"):
        queue_rig.accept(key)
    waits, runs = (queue_rig.queue.find(queue_rig.item(key).id) for key in ("waits", "runs"))
    assert queue_rig.queue.begin(runs)
    queue_rig.clock.advance(EXPIRY_MS / 1000)
    assert (queue_rig.queue.begin(waits), queue_rig.queue.begin(runs)) == (False, True)


def test_a_message_of_an_earlier_acceptance_moves_nothing(queue_rig):
    queue_rig.accept()
    first = queue_rig.queue.find(queue_rig.item().id)
    queue_rig.queue.close(first, "cancelled")
    queue_rig.accept()
    assert not queue_rig.queue.begin(first)
    assert not queue_rig.queue.close(first, "cancelled")
    assert queue_rig.queue.begin(queue_rig.queue.find(first.id))


def test_places_that_were_left_behind_end_with_their_time(queue_rig):
    queue_rig.messages.fails = "before"
    for number in range(BOUND):  # as if each had died before it could leave
        item = queue_rig.item(f"dead-{number}")
        queue_rig.waiting.enter(item.queue, item.place, item.id, queue_rig.queue.now_ms() + EXPIRY_MS)
    queue_rig.messages.fails = None
    assert queue_rig.accept("next")[1] == "full"
    queue_rig.clock.advance(EXPIRY_MS / 1000)
    assert queue_rig.accept("next")[1] == Accepted(queue_rig.item("next").id, 1)


def test_every_order_of_events_is_the_models(dynamo, library_table):
    class Machine(QueueMachine):
        """On this test's engine."""

        new_rig = staticmethod(lambda: Rig(dynamo, library_table))

    few = settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=few)


def test_the_item_keeps_what_it_was_given(queue_rig):
    item = queue_rig.item()._replace(expires_ms=queue_rig.queue.now_ms() + 5)
    assert queue_rig.requests.put(item) == item
    assert queue_rig.requests.find(item.id) == item
