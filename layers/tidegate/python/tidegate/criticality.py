"""How dear a request is when capacity is short: the levels, their order, and the request field that says it.

`Tidegate-Criticality: critical` is an RFC 9651 Token. Clients send it, a server may lower it to what the caller's tier
may claim, and what the server then calls gets the lowered one (Google SRE, "Handling Overload", Criticality).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, get_args

Criticality = Literal["critical", "normal", "sheddable"]

FIELD = b"tidegate-criticality"
# The dearest first: shedding begins at the end.
ORDER: tuple[Criticality, ...] = get_args(Criticality)
DEFAULT: Criticality = "normal"

# What the request that is being served bears; what it calls inherits it.
current: ContextVar[Criticality | None] = ContextVar("tidegate_criticality", default=None)

_BY_TOKEN: dict[str, Criticality] = {level: level for level in ORDER}


def parse(text: str | None) -> Criticality | None:
    """Read the field; None if it is missing, or isn't one of the three: a field that isn't valid is ignored."""
    return None if text is None else _BY_TOKEN.get(text.strip())


def rank(level: Criticality) -> int:
    """Return 0 for the dearest; more for what is shed earlier."""
    return ORDER.index(level)


def at_most(claimed: Criticality, highest: Criticality) -> Criticality:
    """Return what is claimed, lowered to the highest that the caller may claim."""
    return max(claimed, highest, key=rank)
