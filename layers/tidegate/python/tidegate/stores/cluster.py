"""The way to a Redis cluster: commands for several nodes are one round trip of wall time, without threads.

All of them are written before the first reply is read. Who owns a slot is learnt from CLUSTER SLOTS, anew after a
redirection and after a failure, from whichever known node answers; replicas are asked for that alone.
Source: "Redis cluster specification", MOVED and ASK redirection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import monotonic, sleep
from typing import Any, NamedTuple

from tidegate.stores.connection import FAILURES, Exchange, Node, RedisTarget
from tidegate.stores.dialer import Dialer
from tidegate.stores.redis_faults import ReplyError, unavailable
from tidegate.stores.redis_url import parse
from tidegate.stores.resp import Command
from tidegate.stores.slots import Place, SlotMap, redirection, slot_of

_ROUNDS = 5
# The keys of one command are split between two nodes for as long as it takes to move them.
_TRY_AGAIN_AFTER_S = 0.002


class _Errand(NamedTuple):
    """A command on its way: its number, where it goes, and whether that node must be told that it was sent there."""

    number: int
    place: Place
    asking: bool = False


class ClusterTransport:
    """A cluster of Redis servers; thread-safe.

    Args:
        target: any node of it, or the endpoint that leads to one.
    """

    def __init__(self, target: RedisTarget) -> None:
        self._seed = parse(target.url)
        self._dialer = Dialer(target.connect_timeout_s, target.credentials)
        self._timeout_s = target.timeout_s
        self._patience_s = target.connect_timeout_s + target.timeout_s
        self._nodes: dict[Place, Node] = {}
        self._map: SlotMap | None = None
        self._lock = Lock()
        self._node(Place(self._seed.host, self._seed.port))

    def send(self, commands: Sequence[Command], spared: int = 0) -> list[Any]:
        """Send each command to the node that owns its first key, all at once."""
        try:
            return self._send(commands, len(commands) - spared, monotonic() + self._patience_s)
        except FAILURES as error:
            self._map = None
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the idle connections; the cluster is learnt anew at the next call, from the nodes known now."""
        self._map = None
        for node in list(self._nodes.values()):
            node.close()

    def _send(self, commands: Sequence[Command], needed: int, until: float) -> list[Any]:
        slots = self._map or self._learn(None, until)
        replies: list[Any] = [None] * len(commands)
        errands = []
        for i, command in enumerate(commands):
            with _sparing([i], needed, replies):
                errands.append(_Errand(i, self._owner(slots, command, until)))
        for _ in range(_ROUNDS):
            self._round(errands, commands, replies, needed, until)
            errands = self._redirected(errands, commands, replies, needed, until)
            if not errands:
                break
        if any(isinstance(reply, FAILURES) and not isinstance(reply, ReplyError) for reply in replies[needed:]):
            self._map = None  # a node was lost: who has its slots now is to be learnt
        return replies

    def _round(
        self, errands: Iterable[_Errand], commands: Sequence[Command], replies: list[Any], needed: int, until: float
    ) -> None:
        """Write to every node, then read from every node."""
        batches: dict[Place, list[_Errand]] = {}
        for errand in errands:
            batches.setdefault(errand.place, []).append(errand)
        begun: list[tuple[Node, Exchange, list[_Errand]]] = []
        try:
            for place, batch in batches.items():
                node = self._node(place)
                with _sparing([errand.number for errand in batch], needed, replies):
                    begun.append((node, node.begin(_spelled(batch, commands), until), batch))
            while begun:
                node, exchange, batch = begun.pop(0)
                with _sparing([errand.number for errand in batch], needed, replies):
                    answers = iter(node.finish(exchange, until))
                    for errand in batch:
                        if errand.asking:
                            next(answers)
                        replies[errand.number] = next(answers)
        finally:
            for _, exchange, _ in begun:
                exchange.abandon()

    def _redirected(
        self, errands: Iterable[_Errand], commands: Sequence[Command], replies: list[Any], needed: int, until: float
    ) -> list[_Errand]:
        """Return the commands to send again, and where to."""
        refused = [(errand, replies[errand.number]) for errand in errands if _redirects(replies[errand.number])]
        if not refused or monotonic() >= until:
            return []
        known = self._map
        again = []
        for errand, error in refused:
            with _sparing([errand.number], needed, replies):
                again.append(self._elsewhere(errand, error, commands[errand.number], known, until))
        if all(error.code == "TRYAGAIN" for _, error in refused):
            sleep(_TRY_AGAIN_AFTER_S)
        return again

    def _elsewhere(
        self, errand: _Errand, error: ReplyError, command: Command, known: SlotMap | None, until: float
    ) -> _Errand:
        if error.code == "ASK":
            return _Errand(errand.number, redirection(str(error), errand.place.host), asking=True)
        slots = self._map
        if error.code == "MOVED" and slots is known:
            slots = self._learn(known, until, first=redirection(str(error), errand.place.host))
        return _Errand(errand.number, self._owner(slots, command, until))

    def _owner(self, slots: SlotMap | None, command: Command, until: float) -> Place:
        slot = slot_of(command)
        owner = None if slots is None else slots.owner(slot)
        if owner is None:
            owner = self._learn(slots, until).owner(slot)
        if owner is None:
            raise ReplyError(f"CLUSTERDOWN nobody serves slot {slot}")
        return owner

    def _learn(self, doubted: SlotMap | None, until: float, first: Place | None = None) -> SlotMap:
        """Return a map that isn't the doubted one: another thread's, or what the first node that answers tells."""
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise TimeoutError("the cluster wasn't learnt in time")
        try:
            if self._map is not None and self._map is not doubted:
                return self._map
            self._map = self._told(until, first)
            self._keep(self._map)
            return self._map
        finally:
            self._lock.release()

    def _told(self, until: float, first: Place | None) -> SlotMap:
        """Ask node by node: the one that knows best, then the well ones, and at last those that failed."""
        nodes = sorted(self._nodes.values(), key=lambda node: node.failed)
        if first is not None:
            nodes.insert(0, self._node(first))
        failure: BaseException = TimeoutError("the cluster wasn't learnt in time")
        for node in nodes:
            try:
                [reply] = node.send([("CLUSTER", "SLOTS")], until)
            except FAILURES as error:
                failure = error
            else:
                if not isinstance(reply, ReplyError):
                    return SlotMap(reply, node.address.host)
                failure = reply
            if monotonic() >= until:
                break
        raise failure

    def _keep(self, slots: SlotMap) -> None:
        """Forget the nodes that left; the first one of all stays, for it may be an endpoint."""
        seed = Place(self._seed.host, self._seed.port)
        members = {seed, *slots.masters, *slots.replicas}
        for place in members:
            self._node(place)
        for place in [place for place in self._nodes if place not in members]:
            self._nodes.pop(place).close()

    def _node(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            # Two threads may make it at once: then both use the same.
            new = Node(self._seed.at(place.host, place.port), self._dialer, self._timeout_s)
            node = self._nodes.setdefault(place, new)
        return node


@contextmanager
def _sparing(numbers: Sequence[int], needed: int, replies: list[Any]) -> Iterator[None]:
    """Take a failure for the reply of commands of which none is needed."""
    try:
        yield
    except FAILURES as error:
        if any(number < needed for number in numbers):
            raise
        for number in numbers:
            replies[number] = error


def _redirects(reply: Any) -> bool:
    return isinstance(reply, ReplyError) and reply.code in {"MOVED", "ASK", "TRYAGAIN"}


def _spelled(batch: Iterable[_Errand], commands: Sequence[Command]) -> list[Command]:
    spelled: list[Command] = []
    for errand in batch:
        if errand.asking:
            spelled.append(("ASKING",))
        spelled.append(commands[errand.number])
    return spelled
