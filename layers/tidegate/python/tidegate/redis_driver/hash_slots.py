"""The hash slot of a command, and the cluster's node that owns it.

Source: "Redis cluster specification", key distribution model and hash tags; the commands CLUSTER SLOTS, EVAL.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Iterator
from typing import Any, NamedTuple

from tidegate.redis_driver.resp import Command, ProtocolError

SLOTS = 16_384

# Commands whose first key comes after the number of keys.
_COUNTED = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
# The key's index in XREAD BLOCK ms STREAMS key id, the only form that is sent.
_XREAD_KEY = 4
_REDIRECTION_WORDS = 3
_LAST_PORT = 65_535
# A name, or an address of either family, with the characters that cloud providers use.
_HOST = re.compile(rb"[A-Za-z0-9._:%\[\]-]{1,253}")
_KEYLESS = frozenset({"CLUSTER", "ECHO", "FUNCTION", "INFO", "PING", "SCRIPT", "TIME"})


class Place(NamedTuple):
    """A node's address within its cluster."""

    host: str
    port: int


def slot_of_key(key: bytes) -> int:
    """Return the slot of a key: of its hash tag if it has one, that is of a non-empty text within its first braces."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def slot_of(command: Command) -> int | None:
    """Return the slot of a command's first key; None: it has no key, and any node will do."""
    verb = str(command[0]).upper()
    if verb in _KEYLESS:
        return None
    at = 1
    if verb in _COUNTED:
        if not int(command[2]):
            return None
        at = 3
    elif verb == "XREAD":
        at = _XREAD_KEY
    key = command[at]
    return slot_of_key(key if isinstance(key, bytes) else str(key).encode())


class SlotMap:
    """The owner of each slot, by one node's reply.

    Args:
        reply: the reply to CLUSTER SLOTS.
        told_by: the host that was asked. It stands in for a node without a host.

    Raises:
        ProtocolError: the reply is malformed, or two entries have the same slot, so that its owner isn't known.
    """

    def __init__(self, reply: Any, told_by: str) -> None:
        self._owners: list[Place | None] = [None] * SLOTS
        self.masters: dict[Place, None] = {}
        self.replicas: dict[Place, None] = {}
        for first, last, master, replicas in _entries(reply):
            owner = _place(master, told_by)
            if any(self._owners[first : last + 1]):
                raise ProtocolError(f"CLUSTER SLOTS has slots {first} to {last} twice")
            self._owners[first : last + 1] = [owner] * (last + 1 - first)
            self.masters[owner] = None
            self.replicas.update({_place(replica, told_by): None for replica in replicas})

    def owner(self, slot: int | None) -> Place | None:
        """Return the master of a slot, or any master if `slot` is None; None if there is no owner."""
        return next(iter(self.masters), None) if slot is None else self._owners[slot]


def redirection(text: str, told_by: str) -> Place:
    """Return the node that `MOVED slot host:port` or `ASK slot host:port` names; without a host it is `told_by`.

    Raises:
        ProtocolError: it names no node.
    """
    words = text.split(" ")
    host, colon, port = words[2].rpartition(":") if len(words) == _REDIRECTION_WORDS else ("", "", "")
    if not colon or not (port.isascii() and port.isdecimal()):
        raise ProtocolError(f"a redirection that leads nowhere: {text[:100]}")
    return _place([host.encode(), int(port)], told_by)


def _entries(reply: Any) -> Iterator[tuple[int, int, Any, list[Any]]]:
    if type(reply) is not list:
        raise ProtocolError("CLUSTER SLOTS was answered by something else")
    for entry in reply:
        match entry:
            case [int(first), int(last), master, *replicas] if 0 <= first <= last < SLOTS:
                yield first, last, master, replicas
            case _:
                raise ProtocolError("an entry of CLUSTER SLOTS that is none")


def _place(node: Any, told_by: str) -> Place:
    match node:
        case [None | b"" | b"?", int(port), *_] if 0 < port <= _LAST_PORT:
            return Place(told_by, port)
        case [bytes(host), int(port), *_] if 0 < port <= _LAST_PORT and _HOST.fullmatch(host):
            return Place(host.decode(), port)
        case _:
            raise ProtocolError("a node's address that is none")
