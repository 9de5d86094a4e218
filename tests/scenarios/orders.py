"""Idempotent requests around a fault: sent, sent again, and sent again when it is over."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from tests.scenarios.environment import Environment, Reply

_NOTHING_DONE = "nothing was done"
# A claim that a hung store takes up after all, when its request was long answered with 503, stands until its hold ends.
_HELD_FOR_S = 60.0


@dataclass(frozen=True)
class Order:
    """What became of one idempotent request.

    Attributes:
        id: the order, which is the key, too.
        replies: to the first sending and to its retries.
        effects: how often it had been carried out after each.
    """

    id: str
    replies: tuple[Reply, ...]
    effects: tuple[int, ...]

    @property
    def slowest_ms(self) -> float:
        return max(reply.milliseconds for reply in self.replies)

    @property
    def told(self) -> str:
        """The statuses in order; `+` marks a replay."""
        told = [f"{reply.status}{'+' if _replayed(reply) else ''}" for reply in self.replies]
        waits = told.count("409")
        return " ".join(word for word in told if word != "409") + (f" (after {waits} x 409)" if waits else "")

    def faults(self) -> list[str]:
        """What is wrong with how it was answered; nothing, if all is as it must be."""
        wrong: list[str] = []
        answer: bytes | None = None
        refused = False
        for i, (reply, effects) in enumerate(zip(self.replies, self.effects, strict=True)):
            left = reply.status == 409 and refused and answer is None and effects == 0
            refused = refused or reply.status == 503
            if not left and not _is_right(reply, effects, answer):
                wrong.append(f"sending {i + 1}, {effects} effects: {reply.status} {reply.body!r}")
            if reply.status == 201:
                answer = reply.body
        if self.replies[-1].status != 201 or self.effects[-1] != 1:
            wrong.append(f"at the end {self.effects[-1]} effects, and {self.replies[-1].status}")
        return wrong


class Orders:
    """Sends orders to one environment, in the name of one caller."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._caller = uuid.uuid4().hex

    def place(self) -> Order:
        """Send an order and its retry."""
        return self._sent(self._sent(Order(uuid.uuid4().hex, (), ())))

    def settle(self, order: Order) -> Order:
        """Send it once more, and again while its claim stands in the name of an attempt that was given up."""
        ends = time.monotonic() + _HELD_FOR_S
        order = self._sent(order)
        while order.replies[-1].status == 409 and time.monotonic() < ends:
            time.sleep(float(order.replies[-1].headers["retry-after"]))  # as a client does
            order = self._sent(order)
        return order

    def _sent(self, order: Order) -> Order:
        client = self._environment.client()
        reply = client.request("POST", "/payments", self._caller, order.id, order.id)
        while reply.status == 429:  # a change of store begins without a burst: nothing was done, and later it will be
            time.sleep(float(reply.headers["retry-after"]))  # as a client does
            reply = client.request("POST", "/payments", self._caller, order.id, order.id)
        client.close()
        return Order(order.id, (*order.replies, reply), (*order.effects, self._environment.effects(order.id)))


def _is_right(reply: Reply, effects: int, answer: bytes | None) -> bool:
    """Whether that may be answered to a request that was answered so before, if at all, and had these effects."""
    if reply.status == 503:
        return effects == (0 if answer is None else 1) and (effects == 1 or _NOTHING_DONE in reply.body.decode())
    if reply.status != 201 or effects != 1:
        return False
    return answer is None or (reply.body == answer and _replayed(reply))


def _replayed(reply: Reply) -> bool:
    return reply.headers.get("idempotent-replayed") == "true"
