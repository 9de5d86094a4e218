"""How a client conducts itself: what it retries, how long it waits, what it passes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidegate.client.backoff import Backoff
from tidegate.client.quotas import LONGEST_SILENCE_S
from tidegate.criticality import ORDER, Criticality
from tidegate.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """The options of a client.

    Attributes:
        deadline_s: seconds that a call may take with all its attempts, pauses, redirects and its response's body;
            `extensions={"deadline_s": 2}` sets it for one call, and an earlier inherited deadline takes precedence.
        attempts: how often a request is sent at most.
        backoff: the pauses between attempts.
        budget_ratio: retries per request in the long run, to each host.
        budget_tokens: retries that may be saved up.
        throttle_k: requests that are sent per request that is accepted (SRE's K); None: no client-side throttling.
        retry_after_max_s: seconds for which no request is sent after a `Retry-After` or a used-up quota, before one
            request probes whether it still holds.
        keys_for: the POSTs and PATCHs that get an `Idempotency-Key` if they have none, and are then retried: all
            (True), none (False), or those whose path one of the patterns (`/v1/orders`, `/v1/*`) matches, below the
            client's `base_url` or as a whole.
        criticality: of this client's requests; None: that of the request being served, or else none is sent.
        passes_on: whether requests carry their deadline and criticality; set it to False for third parties' servers.

    Raises:
        ConfigurationError: an option is wrong; the error names it.
    """

    deadline_s: float = 30.0
    attempts: int = 4
    backoff: Backoff = field(default_factory=Backoff)
    budget_ratio: float = 0.1
    budget_tokens: int = 5
    throttle_k: float | None = 2.0
    retry_after_max_s: float = LONGEST_SILENCE_S
    keys_for: bool | tuple[str, ...] = False
    criticality: Criticality | None = None
    passes_on: bool = True

    def __post_init__(self) -> None:
        self._check("deadline_s", lambda value: is_time(value) and value > 0, "a number of seconds above 0")
        self._check("attempts", lambda value: value >= 1, "1 or more")
        self._check("backoff", lambda value: isinstance(value, Backoff), "a Backoff")
        self._check("budget_ratio", lambda value: 0 <= value <= 1, "0 to 1")
        self._check("budget_tokens", lambda value: 1 <= value < math.inf, "1 or more, else nothing is ever retried")
        self._check("throttle_k", lambda value: value is None or 1 < value < math.inf, "above 1, or None")
        self._check("retry_after_max_s", lambda value: is_time(value) and value > 0, "a number of seconds above 0")
        self._check("criticality", lambda value: value in (None, *ORDER), f"one of {ORDER}, or None")
        self._check("keys_for", _are_patterns, "True, False or a tuple of path patterns, * for anything")

    def _check(self, name: str, holds: Callable[[Any], bool], rule: str) -> None:
        value = getattr(self, name)
        try:
            usable = holds(value)
        except TypeError:
            usable = False
        if not usable:
            raise ConfigurationError(f"Conduct({name}=…)", f"{value!r} can't be used; write {rule}")


def is_time(value: Any) -> bool:
    """Whether a value is a finite number of seconds."""
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):  # no number, or an integer too large for a float
        return False


def _are_patterns(value: Any) -> bool:
    """Whether they are patterns. A route's template (`/orders/{id}`) isn't: it would silently match no path."""
    if isinstance(value, bool):
        return True
    return isinstance(value, tuple) and all(isinstance(each, str) and not set("{}") & set(each) for each in value)
