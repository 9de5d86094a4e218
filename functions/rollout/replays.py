"""Replayed requests: recorded ones, sent to both versions once more if clients send too few to compare the two.

The application declares which requests may be replayed (`@policy(replayable=True)`), and the project how fast
(`Rollout.replay_per_s`). Both versions get the same requests at the same time, by their numbers and regardless of the
weights, and count them apart from clients' requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from functions.rollout.order import Order, Target

# The duration of one call of the machine's, after which the judge looks.
CALL_S = 20


def next_up(order: Order, targets: Mapping[str, Sequence[str]], wanted: int) -> dict[str, Any] | None:
    """Return the machine's next action if so many requests are wanted; None if none are, or none may be sent."""
    if not wanted or not order.replay_per_s or not any(targets.values()):
        return None
    return {"outcome": "top_up", "wanted": min(wanted, order.replay_per_s * CALL_S)}


def pairs(
    moving: Sequence[Target], stable: Mapping[str, str], targets: Mapping[str, Sequence[str]], wanted: int
) -> list[tuple[Target, str]]:
    """List the requests to send: so many to each version of each function, the same one to both in turn."""
    return [
        (version, path)
        for target in moving
        if target.serves == "http" and targets.get(target.name)
        for path in islice(cycle(targets[target.name]), wanted)
        for version in (target, target._replace(version=stable[target.name]))
    ]
