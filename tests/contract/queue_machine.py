"""Clients, workers, faults and time in any order, beside the model of what must come of it.

Hypothesis draws the order, and shortens what ends differently here and in the model.
"""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.contract.queue_model import QueueModel
from tests.contract.queue_rig import BOUND, EXPIRY_MS, Rig
from tidegate import StoreUnavailableError
from tidegate.overflow.state import ENDED

# One key more than there are places, so that the queue is full at times.
KEYS = ("a", "b", "c", "d")
keys = st.sampled_from(KEYS)
# A key comes with another payload at times.
fingerprints = st.sampled_from(["print", "print", "other"])
# A message is lost before it was sent, or after: then nobody knows that it was.
losses = st.sampled_from([None, None, "before", "after"])


class QueueMachine(RuleBasedStateMachine):
    """The queue of one caller, whose requests are named by their keys."""

    new_rig: ClassVar[Callable[[], Rig]]

    def __init__(self):
        super().__init__()
        self.rig = self.new_rig()
        self.queue = self.rig.queue
        self.model = QueueModel(BOUND, EXPIRY_MS)

    @rule(key=keys, fingerprint=fingerprints, loss=losses)
    def ask(self, key, fingerprint, loss):
        """A client's request is beyond the limit."""
        item = self.rig.item(key, fingerprint)
        self.rig.messages.fails = loss
        try:
            answer = self.queue.accept(item)
        except StoreUnavailableError:
            answer = "unavailable"
        self.rig.messages.fails = None
        told = answer if isinstance(answer, str) else "accepted"
        assert told == self.model.accept(key, fingerprint, item.nonce, self._now_ms(), loss is not None)

    @precondition(lambda self: self.rig.messages.sent)
    @rule(data=st.data(), ending=st.sampled_from(["done", "dies", "dies"]))
    def deliver(self, data, ending):
        """A worker gets a message, as often as SQS likes: it runs what may be run, and may die of it."""
        message = data.draw(st.sampled_from(self.rig.messages.sent))
        key = message.id.rpartition("-")[2]
        item = self.queue.find(message.id)
        if item is None or item.nonce != message.nonce or item.state in ENDED:
            assert not self.model.runnable(key, message.nonce)
            return
        begun = self.queue.begin(item)
        assert begun == self.model.begin(key, message.nonce, self._now_ms())
        if begun and ending == "done":
            self.queue.end(item, b"answer")
            self.model.move(key, "done")
        elif item.has_expired(self._now_ms()):
            assert self.queue.close(item, "expired")
            self.model.move(key, "expired")

    @rule(key=keys)
    def cancel(self, key):
        item = self._item(key)
        if item is not None:
            assert self.queue.close(item, "cancelled") == self.model.cancel(key)

    @rule(ms=st.sampled_from([EXPIRY_MS, EXPIRY_MS // 2]))
    def wait(self, ms):
        self.rig.clock.advance(ms / 1000)

    @invariant()
    def states_are_the_models(self):
        for key in KEYS:
            item = self._item(key)
            assert (None if item is None else item.state) == self.model.state(key)

    @invariant()
    def what_was_promised_has_its_message_until_it_ends(self):
        """A client was told 202: without the message no worker would ever hear of it."""
        sent = {(message.id, message.nonce) for message in self.rig.messages.sent}
        for key in self.model.promised:
            item = self._item(key)
            assert item.state in ENDED or (item.id, item.nonce) in sent

    @invariant()
    def the_queue_is_bounded(self):
        assert self.rig.waiting_now() <= BOUND

    def _now_ms(self):
        return self.queue.now_ms()

    def _item(self, key):
        """The item in the table, if there is one."""
        return self.queue.find(self.rig.item(key).id)
