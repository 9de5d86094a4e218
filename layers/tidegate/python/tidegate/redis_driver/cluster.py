"""The transport to a Redis cluster: commands for several nodes take one round trip of wall time, without threads.

All commands are written before the first reply is read. The owners of slots are read from CLUSTER SLOTS, and again
after a redirection or a failure. Any known node may answer that; replicas are asked nothing else.
Source: "Redis cluster specification", MOVED and ASK redirection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from time import monotonic, sleep
from typing import Any, NamedTuple

from tidegate.redis_driver.adaptive_timeout import AdaptiveTimeout
from tidegate.redis_driver.dialer import Dialer
from tidegate.redis_driver.faults import ReplyError, unavailable
from tidegate.redis_driver.hash_slots import Place, SlotMap, redirection, slot_of
from tidegate.redis_driver.node import FAILURES, Exchange, Node, RedisTarget
from tidegate.redis_driver.resp import Command, ProtocolError
from tidegate.redis_driver.url import parse

_ROUNDS = 5
_SLOTS = ("CLUSTER", "SLOTS")
# While a slot moves, the keys of one command may lie on two nodes. That passes soon.
_TRY_AGAIN_AFTER_S = 0.002


class _RoutedCommand(NamedTuple):
    """A command, and the node to send it to.

    Attributes:
        number: its number among the commands.
        place: the node.
        asking: whether ASKING must go before it, as after an ASK redirection.
    """

    number: int
    place: Place
    asking: bool = False


class ClusterTransport:
    """A cluster of Redis servers; thread-safe.

    Args:
        target: any node of it, or its endpoint.
    """

    def __init__(self, target: RedisTarget) -> None:
        self._seed = parse(target.url)
        self._dialer = Dialer(target.connect_timeout_s, target.credentials)
        self._new_timeout = partial(AdaptiveTimeout, target.timeout_s, adapts=target.adapts)
        self._patience_s = target.connect_timeout_s + target.timeout_s
        self._nodes: dict[Place, Node] = {}
        self._map: SlotMap | None = None
        self._lock = Lock()
        self._node(Place(self._seed.host, self._seed.port))

    def send(self, commands: Sequence[Command], best_effort: int = 0) -> list[Any]:
        """Send each command to the node that owns its first key, all at once."""
        try:
            return self._send(commands, len(commands) - best_effort, monotonic() + self._patience_s)
        except FAILURES as error:
            self._map = None
            raise unavailable(error) from error

    def open(self, patience_s: float) -> None:
        """Learn the cluster, and connect to each master while the time lasts; one that can't be reached is left out."""
        try:
            self._dialer.prepare(self._seed)
            until = monotonic() + patience_s
            slots = self._map or self._learn(None, until, patiently=True)
        except FAILURES as error:
            self._map = None
            raise unavailable(error) from error
        for place in slots.masters:
            if monotonic() < until:
                with suppress(*FAILURES):
                    self._node(place).open(until)

    def close(self) -> None:
        """Close the idle connections; the next call reads the slots' owners anew, from the nodes known now."""
        self._map = None
        for node in list(self._nodes.values()):
            node.close()

    def distrust(self) -> None:
        """Close the idle connections, among them the one on which something else was replied."""
        self.close()

    def _send(self, commands: Sequence[Command], needed: int, until: float) -> list[Any]:
        slots = self._map or self._learn(None, until)
        replies: list[Any] = [None] * len(commands)
        errands = []
        for i, command in enumerate(commands):
            with _sparing([i], needed, replies):
                errands.append(_RoutedCommand(i, self._owner(slots, command, until)))
        for _ in range(_ROUNDS):
            self._round(errands, commands, replies, needed, until)
            errands = self._redirected(errands, commands, replies, needed, until)
            if not errands:
                break
        if any(isinstance(reply, FAILURES) and not isinstance(reply, ReplyError) for reply in replies[needed:]):
            self._map = None  # a node was lost: its slots have other owners
        return replies

    def _round(
        self,
        errands: Iterable[_RoutedCommand],
        commands: Sequence[Command],
        replies: list[Any],
        needed: int,
        until: float,
    ) -> None:
        """Write to every node, then read from every node."""
        batches: dict[Place, list[_RoutedCommand]] = {}
        for errand in errands:
            batches.setdefault(errand.place, []).append(errand)
        open_exchanges: list[tuple[Node, Exchange, list[_RoutedCommand]]] = []
        try:
            for place, batch in batches.items():
                node = self._node(place)
                with _sparing([errand.number for errand in batch], needed, replies):
                    open_exchanges.append((node, node.begin(_with_asking(batch, commands), until), batch))
            while open_exchanges:
                node, exchange, batch = open_exchanges.pop(0)
                with _sparing([errand.number for errand in batch], needed, replies):
                    answers = iter(node.finish(exchange, until))
                    for errand in batch:
                        if errand.asking and (asked := next(answers)) != b"OK" and not isinstance(asked, ReplyError):
                            raise ProtocolError("ASKING was answered by something else")
                        replies[errand.number] = next(answers)
        finally:
            for _, exchange, _ in open_exchanges:
                exchange.abandon()

    def _redirected(
        self,
        errands: Iterable[_RoutedCommand],
        commands: Sequence[Command],
        replies: list[Any],
        needed: int,
        until: float,
    ) -> list[_RoutedCommand]:
        """Return the commands that must be sent again, with the nodes to send them to."""
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
        self, errand: _RoutedCommand, error: ReplyError, command: Command, known: SlotMap | None, until: float
    ) -> _RoutedCommand:
        if error.code == "ASK":
            return _RoutedCommand(errand.number, redirection(str(error), errand.place.host), asking=True)
        slots = self._map
        if error.code == "MOVED" and slots is known:
            slots = self._learn(known, until, first=redirection(str(error), errand.place.host))
        return _RoutedCommand(errand.number, self._owner(slots, command, until))

    def _owner(self, slots: SlotMap | None, command: Command, until: float) -> Place:
        slot = slot_of(command)
        owner = None if slots is None else slots.owner(slot)
        if owner is None:
            owner = self._learn(slots, until).owner(slot)
        if owner is None:
            raise ReplyError(f"CLUSTERDOWN nobody serves slot {slot}")
        return owner

    def _learn(
        self, doubted: SlotMap | None, until: float, first: Place | None = None, *, patiently: bool = False
    ) -> SlotMap:
        """Return a map that isn't the doubted one: another thread's, or one read from the first node that answers."""
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise TimeoutError("the cluster wasn't learnt in time")
        try:
            if self._map is not None and self._map is not doubted:
                return self._map
            self._map = self._read_map(until, first, patiently=patiently)
            self._keep(self._map)
            return self._map
        finally:
            self._lock.release()

    def _read_map(self, until: float, first: Place | None, *, patiently: bool) -> SlotMap:
        """Ask node by node: the redirection's target first, then those that are well, then those that failed."""
        nodes = sorted(self._nodes.values(), key=lambda node: node.failed)
        if first is not None:
            nodes.insert(0, self._node(first))
        failure: BaseException = TimeoutError("the cluster wasn't learnt in time")
        for i, node in enumerate(nodes):
            try:
                if patiently:  # one that hangs leaves the others their share
                    now = monotonic()
                    [reply] = node.open(now + (until - now) / (len(nodes) - i), [_SLOTS])
                else:
                    [reply] = node.send([_SLOTS], until)
                if not isinstance(reply, ReplyError):
                    return SlotMap(reply, node.address.host)
                failure = reply
            except FAILURES as error:
                failure = error
            if monotonic() >= until:
                break
        raise failure

    def _keep(self, slots: SlotMap) -> None:
        """Forget the nodes that left the cluster, but keep the first of all, which may be an endpoint."""
        seed = Place(self._seed.host, self._seed.port)
        members = {seed, *slots.masters, *slots.replicas}
        for place in members:
            self._node(place)
        for place in [place for place in self._nodes if place not in members]:
            self._nodes.pop(place).close()

    def _node(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            # Two threads may do so at once; then both get the same node.
            new = Node(self._seed.at(place.host, place.port), self._dialer, self._new_timeout())
            node = self._nodes.setdefault(place, new)
        return node


@contextmanager
def _sparing(numbers: Sequence[int], needed: int, replies: list[Any]) -> Iterator[None]:
    """Make a failure the reply to these commands, unless one of them is needed."""
    try:
        yield
    except FAILURES as error:
        if any(number < needed for number in numbers):
            raise
        for number in numbers:
            replies[number] = error


def _redirects(reply: Any) -> bool:
    return isinstance(reply, ReplyError) and reply.code in {"MOVED", "ASK", "TRYAGAIN"}


def _with_asking(batch: Iterable[_RoutedCommand], commands: Sequence[Command]) -> list[Command]:
    sent: list[Command] = []
    for errand in batch:
        if errand.asking:
            sent.append(("ASKING",))
        sent.append(commands[errand.number])
    return sent
