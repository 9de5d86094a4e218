"""Which of a cluster's nodes a command belongs to.

Source: "Redis cluster specification", key distribution model and hash tags; the commands CLUSTER SLOTS, EVAL.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any, NamedTuple

from tidegate.stores.resp import Command

SLOTS = 16_384

# Where the first key stands if it isn't the first argument: behind how many keys there are.
_COUNTED = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
# XREAD BLOCK ms STREAMS key id, as it is sent here.
_XREAD_KEY = 4
_KEYLESS = frozenset({"CLUSTER", "ECHO", "FUNCTION", "INFO", "PING", "SCRIPT", "TIME"})


class Place(NamedTuple):
    """A node's address within its cluster."""

    host: str
    port: int


def slot_of_key(key: bytes) -> int:
    """Return the slot of a key, or of the part of it in the first braces with something between them."""
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
    """Who owns which slot, as one node told it.

    Args:
        reply: the reply to CLUSTER SLOTS.
        told_by: the host that was asked, which is meant where a node has no name of its own.
    """

    def __init__(self, reply: Sequence[Any], told_by: str) -> None:
        self._owners: list[Place | None] = [None] * SLOTS
        self.masters: dict[Place, None] = {}
        self.replicas: dict[Place, None] = {}
        for first, last, master, *replicas in reply:
            owner = _place(master, told_by)
            self._owners[first : last + 1] = [owner] * (last + 1 - first)
            self.masters[owner] = None
            self.replicas.update({_place(replica, told_by): None for replica in replicas})

    def owner(self, slot: int | None) -> Place | None:
        """Return the master of a slot, None if nobody serves it; for no slot any master."""
        return next(iter(self.masters), None) if slot is None else self._owners[slot]


def redirection(text: str, told_by: str) -> Place:
    """Read where `MOVED slot host:port` or `ASK slot host:port` leads; without a host, to another port of the same."""
    host, _, port = text.split(" ")[2].rpartition(":")
    return Place(host or told_by, int(port))


def _place(node: Sequence[Any], told_by: str) -> Place:
    host, port = node[:2]
    return Place(host.decode() if host and host != b"?" else told_by, int(port))
