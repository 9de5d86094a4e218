"""Clients, workers, faults and time in any order, beside the model of what must come of it."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.contract.queue_model import QueueModel
from tests.contract.queue_rig import BOUND, EXPIRY_MS, Rig
from tidegate import StoreUnavailableError
from tidegate.mechanisms.request_state import ENDED

KEYS_OF_ALL = ["a", "b", "c", "d"]
KEYS, PRINTS = st.sampled_from(KEYS_OF_ALL), st.sampled_from(["print", "print", "other"])


class QueueMachine(RuleBasedStateMachine):
    """Clients, workers and time, in any order; the model says what must come of it."""

    make: ClassVar[Callable[[], Rig]]

    def __init__(self):
        super().__init__()
        self.rig = self.make()
        self.model = QueueModel(BOUND, EXPIRY_MS)

    def now(self):
        return self.rig.queue.now_ms()

    def known(self, key):
        return self.rig.queue.find(self.rig.item(key).id)

    @rule(key=KEYS, fingerprint=PRINTS, fails=st.sampled_from([None, None, "before", "after"]))
    def ask(self, key, fingerprint, fails):
        self.rig.messages.fails = fails
        item = self.rig.item(key, fingerprint)
        try:
            answer = self.rig.queue.accept(item)
        except StoreUnavailableError:
            answer = "unavailable"
        self.rig.messages.fails = None
        told = answer if isinstance(answer, str) else "accepted"
        assert told == self.model.accept(key, fingerprint, item.nonce, self.now(), fails is not None)

    @precondition(lambda self: self.rig.messages.sent)
    @rule(data=st.data(), ends=st.sampled_from(["done", "dies", "dies"]))
    def deliver(self, data, ends):
        message = data.draw(st.sampled_from(self.rig.messages.sent))
        item = self.rig.queue.find(message.id)
        key = message.id.rpartition("-")[2]
        if item is None or item.nonce != message.nonce or item.state in ENDED:
            assert not self.model.runnable(key, message.nonce)
            return
        begun = self.rig.queue.begin(item)
        assert begun == self.model.begin(key, message.nonce, self.now())
        if begun and ends == "done":
            self.rig.queue.end(item, b"answer")
            self.model.move(key, "done")
        elif item.has_expired(self.now()):
            assert self.rig.queue.close(item, "expired")
            self.model.move(key, "expired")

    @rule(key=KEYS)
    def cancel(self, key):
        item = self.known(key)
        if item is not None:
            assert self.rig.queue.close(item, "cancelled") == self.model.cancel(key)

    @rule(ms=st.sampled_from([EXPIRY_MS, EXPIRY_MS // 2]))
    def wait(self, ms):
        self.rig.clock.advance(ms / 1000)

    @invariant()
    def all_is_as_the_model_has_it(self):
        """States are the model's, what was promised has its message, and the queue is bounded."""
        sent = {(message.id, message.nonce) for message in self.rig.messages.sent}
        for key in KEYS_OF_ALL:
            item = self.known(key)
            assert (None if item is None else item.state) == self.model.state(key)
            assert key not in self.model.promised or item.state in ENDED or (item.id, item.nonce) in sent
        assert self.rig.waiting_now() <= BOUND
