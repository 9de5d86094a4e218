"""A sliding window's state as Redis keeps it: packed into bytes, which a script reads at once.

The format is compact, because many callers are idle and their windows are kept all the same.
The first byte is the width of a count of units in bytes, the next six are the number of the latest part. Then come the
parts, the latest first. Each is one byte for the tick of its last charge, and its units; a part without a charge has 0
units. All numbers are big-endian. `lua/sliding_window.lua` reads and writes the same format. A window of 255 units
takes at most 37 bytes, one of 65,000 units 52.
"""

from __future__ import annotations

from tidegate.decision import State
from tidegate.limits.sliding_window import TICKS

_HEAD = 7
_WIDEST = 7


def packed(state: State) -> bytes:
    """Return a state as bytes; no bytes for an empty window."""
    if not state:
        return b""
    most: int = max(state[1::2])
    width = max(1, -(-most.bit_length() // 8))
    latest: int = state[0] // TICKS
    number = latest
    parts = bytearray()
    for last, units in zip(state[::2], state[1::2], strict=True):
        own, tick = divmod(last, TICKS)
        parts += bytes((number - own) * (width + 1))
        parts.append(tick)
        parts += units.to_bytes(width, "big")
        number = own - 1
    return bytes([width]) + latest.to_bytes(_HEAD - 1, "big") + bytes(parts)


def unpacked(stored: bytes) -> State:
    """Return the state of packed bytes; an empty one if they are malformed, since Redis' data isn't trusted."""
    width = stored[0] if stored else 0
    if not 1 <= width <= _WIDEST or len(stored) <= _HEAD or (len(stored) - _HEAD) % (width + 1):
        return ()
    number, state = int.from_bytes(stored[1:_HEAD], "big"), list[int]()
    for at in range(_HEAD, len(stored), width + 1):
        units = int.from_bytes(stored[at + 1 : at + 1 + width], "big")
        if units:
            state += (number * TICKS + stored[at], units)
        number -= 1
    return tuple(state)
