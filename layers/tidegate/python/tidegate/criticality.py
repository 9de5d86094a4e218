"""A request's criticality, by which requests are shed when capacity is short: the levels, their order, the field.

`Tidegate-Criticality: critical` is an RFC 9651 Token. Clients send it. A server may lower it to the level that the
caller's tier may claim, and sends the lowered one with its own calls (Google SRE, "Handling Overload", Criticality).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, get_args

Criticality = Literal["critical", "normal", "sheddable"]

FIELD = b"tidegate-criticality"
# The most critical first: shedding begins at the end.
ORDER: tuple[Criticality, ...] = get_args(Criticality)
DEFAULT: Criticality = "normal"

# The running request's, which its own calls inherit.
current: ContextVar[Criticality | None] = ContextVar("tidegate_criticality", default=None)

_BY_TOKEN: dict[str, Criticality] = {level: level for level in ORDER}


def parse(text: str | None) -> Criticality | None:
    """Read the field; None if it is missing, or isn't one of the three: an invalid field is ignored."""
    return None if text is None else _BY_TOKEN.get(text.strip())


def rank(level: Criticality) -> int:
    """Return 0 for the most critical; more for levels that are shed earlier."""
    return ORDER.index(level)


def at_most(claimed: Criticality, highest: Criticality) -> Criticality:
    """Return the claimed level, lowered to the highest that the caller may claim."""
    return max(claimed, highest, key=rank)
